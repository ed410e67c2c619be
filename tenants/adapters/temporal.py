"""A Temporal namespace: the client for it, and what its target's options say: the namespace and
its shared queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from console.clients import pool
from console.clients.temporal.client import TemporalClient
from tenants.contracts import TargetRef

MOST_RATE: Final = 1_000_000_000
"""Milli-requests/s: a million a second is more than any queue has."""
LONGEST_TEXT: Final = 1000
LONGEST_RETENTION: Final = 100 * 365 * 86400
_TLS: Final = ("client_cert", "client_key", "server_ca", "server_name")


@dataclass(frozen=True, slots=True)
class SharedQueue:
    """A task queue of many tenants, in milli-requests/s: `base_rate` is what weight 1 means (None:
    weights are only shares), `queue_rate` the most for all together (None: no limit)."""

    name: str
    base_rate: int | None = None
    queue_rate: int | None = None


def client_for(target: TargetRef) -> TemporalClient:
    """This process's client for the namespace behind a target."""
    options: dict[str, Any] = {
        name: str(target.options[name]) for name in _TLS if target.options.get(name)
    }
    if isinstance(target.options.get("tls"), bool):
        options["tls"] = target.options["tls"]
    return pool.temporal(
        target.endpoint,
        namespace(target),
        api_key=target.credential,
        timeout=target.timeout,
        **options,
    )


def namespace(target: TargetRef) -> str:
    """The Temporal namespace of a target."""
    return str(target.options.get("namespace") or "default")


def shared_queues(target: TargetRef) -> dict[str, SharedQueue]:
    """The shared queues that are declared on a target, by name."""
    declared = target.options.get("queues") or {}
    return {name: _queue(name, rates or {}) for name, rates in declared.items()}


def _queue(name: str, rates: Mapping[str, Any]) -> SharedQueue:
    base, limit = rates.get("base_rate"), rates.get("queue_rate")
    # Temporal reads a base rate of 0 as unlimited: no base rate says the same without a trap.
    return SharedQueue(name, int(base) if base else None, None if limit is None else int(limit))


def storable(milli: int) -> int:
    """The nearest rate or weight that survives the server's 32-bit float: thousandths up to about
    8,388, whole ones above."""
    return milli if milli <= 2**23 else round(milli / 1000) * 1000


def options_error(options: Mapping[str, Any]) -> str:
    """What is wrong with the options of a Temporal target, as a sentence; empty when nothing is."""
    for name in ("namespace", *_TLS):
        value = options.get(name, "")
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            return f"{name}: use a text of at most {LONGEST_TEXT} characters."
    if not isinstance(options.get("tls", False), bool):
        return f"tls: {options['tls']!r} is not accepted; use true or false."
    retention = options.get("retention_seconds", 0)
    if isinstance(retention, bool) or not isinstance(retention, int):
        return f"retention_seconds: {str(retention)[:40]!r} is not accepted; use whole seconds."
    if not 0 <= retention <= LONGEST_RETENTION:
        return (
            f"retention_seconds: {str(retention)[:40]} is not accepted; use 0 to"
            f" {LONGEST_RETENTION}, a hundred years."
        )
    declared = options.get("queues") or {}
    if not isinstance(declared, Mapping):
        return "queues: use a mapping of queue names to base_rate and queue_rate."
    errors = ((name, _rates_error(rates or {})) for name, rates in declared.items())
    return next((f"Queue {name}: {error}" for name, error in errors if error), "")


def _rates_error(rates: Any) -> str:
    if not isinstance(rates, Mapping) or rates.keys() - {"base_rate", "queue_rate"}:
        return "it has base_rate and queue_rate, in milli-requests/s, and nothing else."
    for name, rate in rates.items():
        if rate is None:
            continue
        if isinstance(rate, bool) or not isinstance(rate, int) or rate < 0:
            return f"{name} {rate!r} is not accepted; use milli-requests/s, 10000 for 10/s."
        if rate > MOST_RATE:
            return f"{name} is in milli-requests/s; use at most {MOST_RATE}, a million a second."
        if storable(rate) != rate:
            return f"{name} {rate} cannot be stored exactly there; use whole requests/s."
    if rates.get("base_rate") == 0:
        return "Temporal takes a base rate of 0 for unlimited; leave it out if weights only share."
    return ""
