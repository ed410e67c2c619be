"""Jobs and pods as a cluster describes them, for tests without one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from observability.engines.contracts import EventKind, RunEvent, RunSnapshot

Object = dict[str, Any]
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def at(clock: str) -> str:
    """A time of the day of all these tests, as Kubernetes writes it."""
    return f"2026-11-30T{clock}Z"


def job(status: Object | None = None, *, metadata: Object | None = None, **spec: Any) -> Object:
    """A Job that was created at 09:00, of one container `main`."""
    return {
        "metadata": {
            "name": "j",
            "namespace": "acme",
            "uid": "J",
            "resourceVersion": "5",
            "creationTimestamp": at("09:00:00"),
            **(metadata or {}),
        },
        "spec": {"template": {"spec": {"containers": [{"name": "main"}]}}, **spec},
        "status": status or {},
    }


def condition(kind: str, since: str, reason: str = "", message: str = "") -> Object:
    """A condition that is true."""
    entry = {"type": kind, "status": "True", "reason": reason, "message": message}
    return {**entry, "lastTransitionTime": at(since)}


def ended(name: str, code: int, clock: str, message: str = "", reason: str = "Error") -> Object:
    """The status of a container that ended."""
    words = {"exitCode": code, "reason": reason, "message": message, "finishedAt": at(clock)}
    return {"name": name, "state": {"terminated": {**words, "startedAt": at("09:00:02")}}}


def runs(name: str = "main") -> Object:
    """The status of a container that runs."""
    return {"name": name, "state": {"running": {"startedAt": at("09:00:02")}}}


def pod(
    name: str, *containers: Object, phase: str = "Failed", conditions: Any = (), **metadata: Any
) -> Object:
    """A pod that was created at 09:00."""
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "namespace": "acme",
            "creationTimestamp": at("09:00:00"),
            **metadata,
        },
        "spec": {"restartPolicy": "Never"},
        "status": {
            "phase": phase,
            "containerStatuses": list(containers),
            "conditions": list(conditions),
        },
    }


def written(manager: str, clock: str, *fields: str) -> Object:
    """Managed fields: when somebody last wrote anything, and of which fields it is the owner."""
    entry = {"manager": manager, "operation": "Update", "time": at(clock)}
    return {
        "managedFields": [{**entry, "fieldsV1": {"f:spec": {f"f:{name}": {} for name in fields}}}]
    }


def of_kind(run: RunSnapshot, kind: EventKind) -> list[RunEvent]:
    """Its events of a kind."""
    return [event for event in run.events if event.kind is kind]
