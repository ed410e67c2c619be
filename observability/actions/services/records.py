"""The records of an action: its entries in the ledger, its note in the run's trail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import F

from console.access.models import User
from console.audit import services as audit
from console.audit.models import ActorKind, Entry, Outcome
from console.audit.services import Actor
from observability.actions.models import Order, OrderStatus
from observability.engines.contracts import (
    LONGEST_MESSAGE,
    LONGEST_TITLE,
    Engine,
    EventKind,
)
from observability.jobs.models import JobEvent, JobRun

OUTCOMES: Final[Mapping[str, Outcome]] = {
    OrderStatus.DONE: Outcome.DONE,
    OrderStatus.REFUSED: Outcome.REFUSED,
    OrderStatus.FAILED: Outcome.FAILED,
    OrderStatus.UNKNOWN: Outcome.FAILED,
    OrderStatus.CANCELLED: Outcome.REFUSED,
}
_PAYLOAD: Final = "input"
"""The argument that may hold anything, secrets too: only its size is repeated elsewhere."""


def actor_of(order: Order) -> Actor:
    """Whoever gave the order."""
    return Actor(ActorKind(order.actor_kind), order.actor, order.user)


def email_of(user: User | None) -> str:
    """A person's address, empty where there is none."""
    return user.email if user else ""


def repeatable(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as ledger and trail show them."""
    return {
        name: f"{len(str(value).encode())} bytes" if name == _PAYLOAD else value
        for name, value in arguments.items()
    }


def ledger_entry(
    order: Order,
    *,
    step: str = "",
    run: JobRun | None = None,
    label: str = "",
    outcome: str = Outcome.DONE,
    message: str = "",
    now: datetime,
) -> Entry:
    """A ledger entry about an order (`step` "asked" is the one before it is tried); about one run
    of a batch where `run` is named."""
    action = f"job.{order.verb}"
    about = run or order.run
    tenant = about.tenant if about else order.tenant
    return audit.build(
        actor=actor_of(order),
        action=f"{action}.{step}" if step else action,
        object_type="job" if about else "order",
        object_id=about.pk if about else order.pk,
        object_label=label or (about.external_id if about else order.label),
        tenant=tenant.slug if tenant else "",
        after=_values(order),
        reason=order.reason,
        outcome=outcome,
        message=message,
        at=now,
    )


def _values(order: Order) -> dict[str, Any]:
    values: dict[str, Any] = {"order": order.pk, "engine": order.engine}
    if order.arguments:
        values["arguments"] = repeatable(order.arguments)
    if order.target is not None:
        values["target"] = order.target.slug
    if order.is_batch:
        values |= {"query": order.query, "runs": order.total, "rate": order.rate}
    return values


def record_in_trail(
    order: Order, run: JobRun, *, status: str, message: str, now: datetime, late: bool = False
) -> None:
    """Puts the order into the run's trail, and has the run read again. Engines forget who paused
    an activity, and who terminated in a batch: this note does not."""
    # Temporal numbers its events; everything else is ordered by microseconds.
    numbered = run.engine == Engine.TEMPORAL
    seq = run.history_through if numbered else int(now.timestamp() * 1_000_000)
    outcome = OrderStatus(status).label.lower()
    text = f"{order.reason} · {message}" if message else order.reason
    event = JobEvent(
        run=run,
        seq=seq,
        key=f"{order.note_key}:late" if late else order.note_key,
        at=now,
        kind=EventKind.NOTE,
        title=f"{order.what}: {outcome}"[:LONGEST_TITLE],
        actor=order.actor[:255],
        message=text[:LONGEST_MESSAGE],
        detail={
            "order": order.pk,
            "verb": order.verb,
            "outcome": status,
            "reason": order.reason[:LONGEST_MESSAGE],
            "arguments": repeatable(order.arguments),
        },
    )
    JobEvent.objects.bulk_create([event], ignore_conflicts=True)
    changes: dict[str, Any] = {"event_count": F("event_count") + 1, "updated_at": now}
    if numbered:
        # The other engines tell of changes by themselves, and of ended runs nothing more.
        changes |= {"history_due": True, "history_tries": 0}
    JobRun.objects.filter(pk=run.pk).update(**changes)
