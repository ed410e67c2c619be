"""Runs, events and what surrounds them, as rows: for pages, the explorer and actions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from observability.engines.contracts import (
    EventKind,
    LinkKind,
    RunEvent,
    Status,
)
from observability.jobs.models import JobEvent, JobLink, JobRun
from tenants.models import Target, Tenant

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
"""When the runs of these tests are accepted."""
_numbers = count(1)


def after(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def make_target(slug: str = "engine", kind: str = "temporal", **fields: Any) -> Target:
    """A target of a kind; the same slug gives the same row."""
    values: dict[str, Any] = {"name": slug.title(), "kind": kind, "endpoint": "127.0.0.1:1"}
    target, _ = Target.objects.get_or_create(slug=slug, defaults=values | fields)
    return target


def make_tenant(slug: str = "acme", **fields: Any) -> Tenant:
    """A tenant that exists since the day before; the same slug gives the same row."""
    tenant, made = Tenant.objects.get_or_create(
        slug=slug, defaults={"name": slug.title(), **fields}
    )
    if made:
        Tenant.objects.filter(pk=tenant.pk).update(created_at=NOON - timedelta(days=1))
        tenant.refresh_from_db()
    return tenant


def make_run(target: Target | None = None, **fields: Any) -> JobRun:
    """A run, by default one on Temporal that succeeded after a minute. `key`, `duration_ms` and
    `engine` follow from the rest; an open `status` leaves the end out."""
    number = next(_numbers)
    target = target or make_target()
    status = fields.get("status", Status.SUCCEEDED)
    is_open = status in {Status.WAITING, Status.RUNNING, Status.PAUSED}
    values: dict[str, Any] = {
        "engine": target.kind,
        "target": target,
        "external_id": f"job-{number}",
        "run_id": f"run-{number}",
        "location": "default",
        "type": "InvoiceFlow",
        "status": status,
        "created_at": NOON,
        "began_at": None if status == Status.WAITING else after(1),
        "closed_at": None if is_open else after(60),
        "updated_at": NOON,
        "attempts": 1,
    } | fields
    run = JobRun(**values)
    run.key = fields.get("key", run.make_key())
    if run.closed_at is not None and run.duration_ms is None:
        run.duration_ms = int((run.closed_at - run.created_at).total_seconds() * 1000)
    run.save()
    return run


def seen(seq: int, kind: EventKind, at: float = 0.0, **fields: Any) -> RunEvent:
    """An event `at` seconds after noon, with a title made of its kind."""
    values: dict[str, Any] = {
        "key": f"event-{seq}",
        "seq": seq,
        "at": after(at),
        "kind": kind,
        "title": kind.value.replace("_", " ").capitalize(),
    }
    return RunEvent(**(values | fields))


def _columns(event: RunEvent) -> dict[str, Any]:
    columns = asdict(event)
    del columns["attempt_round"]  # it is in the key
    return columns


def make_events(run: JobRun, events: Iterable[RunEvent]) -> list[JobEvent]:
    """The events as rows of the run; `event_count` follows."""
    rows = JobEvent.objects.bulk_create(
        (JobEvent(run=run, **_columns(event)) for event in events), batch_size=500
    )
    run.event_count = run.events.count()
    run.save(update_fields=["event_count"])
    return rows


def make_links(run: JobRun, **values: str) -> None:
    """What the run has in common with others: `make_links(run, trace="4bf9…")`."""
    JobLink.objects.bulk_create(
        JobLink(run=run, kind=LinkKind(kind).value, value=value) for kind, value in values.items()
    )


def retried(step: str = "charge", *, start: float = 0.0, first: int = 1) -> list[RunEvent]:
    """A step that waited, failed once, backed off and then succeeded: seven events in 40 s."""
    named: dict[str, Any] = {"step": step, "step_name": f"{step}-card"}
    kinds: Sequence[tuple[EventKind, float, dict[str, Any]]] = (
        (EventKind.SCHEDULED, 0, {}),
        (EventKind.ATTEMPT_STARTED, 10, {"attempt": 1, "actor": "worker-1"}),
        (EventKind.CHECKPOINT, 14, {"attempt": 1, "title": "40 %"}),
        (EventKind.ATTEMPT_FAILED, 18, {"attempt": 1, "message": "PaymentDown: 503"}),
        (EventKind.RETRY, 18, {"attempt": 2}),
        (EventKind.ATTEMPT_STARTED, 28, {"attempt": 2, "actor": "worker-2"}),
        (EventKind.STEP_COMPLETED, 40, {"attempt": 2}),
    )
    return [
        seen(first + index, kind, start + at, **(named | fields))
        for index, (kind, at, fields) in enumerate(kinds)
    ]


def long_history(steps: int) -> list[RunEvent]:
    """`steps` steps of five events each, one in ten of them failing once, one after another."""
    events: list[RunEvent] = []
    for number in range(steps):
        named: dict[str, Any] = {"step": str(number), "step_name": f"step {number % 40}"}
        kinds = (
            EventKind.SCHEDULED,
            EventKind.ATTEMPT_STARTED,
            EventKind.CHECKPOINT,
            EventKind.ATTEMPT_FAILED if number % 10 == 0 else EventKind.WORKER,
            EventKind.STEP_COMPLETED,
        )
        for index, kind in enumerate(kinds):
            seq = number * len(kinds) + index + 1
            events.append(seen(seq, kind, number + index / 5, attempt=1, **named))
    return events
