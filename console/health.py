"""/readyz: what this process needs, and what runs beside it; none of it takes the answer down."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import JsonResponse
from django.utils import timezone

from console import checks
from console.audit import triggers
from console.loops.selectors import loop_statuses

# What makes a broker say something; over TLS the connection has to do.
_HELLOS = {"redis": b"PING\r\n", "amqp": b"AMQP\x00\x00\x09\x01"}
_DEFAULT_PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}


def _settings() -> None:
    if problems := checks.errors():
        raise ImproperlyConfigured(", ".join(str(problem.id) for problem in problems))


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ledger() -> None:
    if gone := triggers.missing():
        raise ImproperlyConfigured(", ".join(gone))


def _broker() -> None:
    """It is there, and alive: one that hangs still accepts connections."""
    parts = urlsplit(settings.CELERY_BROKER_URL)
    if parts.scheme == "memory":
        return
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    with socket.create_connection((parts.hostname or "", port), timeout=1) as connection:
        if hello := _HELLOS.get(parts.scheme):
            connection.sendall(hello)
            if not connection.recv(1):  # whatever it says, a refusal too
                raise ConnectionResetError


_CHECKS: dict[str, tuple[Callable[[], None], bool]] = {
    # name: (check, required). Pages work without a broker: changes wait in the outbox.
    # One that fell back to a default (another database!) must get no requests.
    "settings": (_settings, True),
    "database": (_database, True),
    # Enforcement goes on without its protection; whoever is on call has to hear of it.
    "ledger": (_ledger, False),
    "broker": (_broker, False),
}


def _run(check: Callable[[], None]) -> dict[str, object]:
    started = time.perf_counter()
    try:
        check()
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer is "not ok"
        return {"ok": False, "error": type(error).__name__}
    return {"ok": True, "ms": round((time.perf_counter() - started) * 1000, 1)}


def _loops() -> dict[str, object]:
    """Names of loops that stand still, not of whose: anybody may ask."""
    now = timezone.now()
    late: list[str] = []

    def collect() -> None:
        late.extend(sorted({status.name for status in loop_statuses(now) if status.late(now)}))

    result = _run(collect)
    return {**result, "ok": bool(result["ok"]) and not late, "late": late}


def readyz() -> JsonResponse:
    """200 with every dependency when the required ones answer, else 503. No secrets, no hosts.

    `degraded` names what does not answer, and each loop that stands still as `loop:NAME`.
    """
    results = {name: _run(check) for name, (check, _) in _CHECKS.items()}
    ready = all(results[name]["ok"] for name, (_, required) in _CHECKS.items() if required)
    degraded = [name for name, result in results.items() if not result["ok"]]
    if results["database"]["ok"]:
        results["loops"] = _loops()
        late = cast("list[str]", results["loops"]["late"])
        degraded += [f"loop:{name}" for name in late] or ["loops"] * (not results["loops"]["ok"])
    body = {"ready": ready, "degraded": sorted(degraded), "checks": results}
    return JsonResponse(body, status=200 if ready else 503)
