"""The clients of this process, one per target, so that connections are kept and counted together.

The key is what identifies the target and its credential *reference*; a client notices by itself
when the credential behind the reference changes.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from console.clients.celery.client import CeleryClient
from console.clients.kubernetes.client import KubernetesClient
from console.clients.temporal.client import TemporalClient
from console.errors import ExternalError

C = TypeVar("C", KubernetesClient, TemporalClient, CeleryClient)

_lock = threading.Lock()
_clients: dict[tuple[Hashable, ...], KubernetesClient | TemporalClient | CeleryClient] = {}


def _new_lock_after_fork() -> None:
    global _lock
    # Clients survive a fork (they key their connections by pid), a held lock does not.
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_new_lock_after_fork)


def kubernetes(credential: str, **options: Any) -> KubernetesClient:
    """This process's client for a cluster; `options` as for KubernetesClient."""
    return _cached(
        ("kubernetes", credential, *sorted(options.items())),
        lambda: KubernetesClient(credential, **options),
    )


def temporal(address: str, namespace: str = "default", **options: Any) -> TemporalClient:
    """This process's client for a Temporal namespace; `options` as for TemporalClient."""
    return _cached(
        ("temporal", address, namespace, *sorted(options.items())),
        lambda: TemporalClient(address, namespace, **options),
    )


def celery(endpoint: str, *, name: str = "", **options: Any) -> CeleryClient:
    """This process's client for the Celery app behind a broker; `options` as for CeleryClient.

    Each `name` has one of its own: two targets on one broker must not take each other's events.
    """
    return _cached(
        ("celery", endpoint, name, *sorted(options.items())),
        lambda: CeleryClient(endpoint, **options),
    )


def close_all() -> None:
    """Close every client's connections and forget them (tests, process end)."""
    with _lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        with contextlib.suppress(ExternalError):
            client.close()


def _cached(key: tuple[Hashable, ...], build: Callable[[], C]) -> C:
    with _lock:
        client = _clients.get(key)
        if client is None:
            client = _clients[key] = build()
        return cast("C", client)
