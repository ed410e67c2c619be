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
from observability.actions.models import Action, ActionStatus
from observability.engines.contracts import LONGEST_MESSAGE, LONGEST_TITLE, EventKind
from observability.engines.registry import adapter_for
from observability.jobs.models import JobEvent, JobRun

OUTCOMES: Final[Mapping[str, Outcome]] = {
    ActionStatus.DONE: Outcome.DONE,
    ActionStatus.REFUSED: Outcome.REFUSED,
    ActionStatus.FAILED: Outcome.FAILED,
    ActionStatus.UNKNOWN: Outcome.FAILED,
    ActionStatus.CANCELLED: Outcome.REFUSED,
}
_PAYLOAD: Final = "input"
"""The argument that may hold anything, secrets too: only its size is repeated elsewhere."""


def actor_of(action: Action) -> Actor:
    """Whoever asked for the action."""
    return Actor(ActorKind(action.actor_kind), action.actor, action.user)


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
    action: Action,
    *,
    step: str = "",
    run: JobRun | None = None,
    label: str = "",
    outcome: str = Outcome.DONE,
    message: str = "",
    now: datetime,
) -> Entry:
    """A ledger entry about an action (`step` "asked" is the one before it is tried); about one run
    of a batch where `run` is named."""
    name = f"job.{action.verb}"
    about = run or action.run
    tenant = about.tenant if about else action.tenant
    return audit.build(
        actor=actor_of(action),
        action=f"{name}.{step}" if step else name,
        object_type="job" if about else "action",
        object_id=about.pk if about else action.pk,
        object_label=label or (about.external_id if about else action.label),
        tenant=tenant.slug if tenant else "",
        after=_values(action),
        reason=action.reason,
        outcome=outcome,
        message=message,
        at=now,
    )


def _values(action: Action) -> dict[str, Any]:
    values: dict[str, Any] = {"action": action.pk, "engine": action.engine}
    if action.arguments:
        values["arguments"] = repeatable(action.arguments)
    if action.target is not None:
        values["target"] = action.target.slug
    if action.is_batch:
        values |= {"query": action.query, "runs": action.total, "rate": action.rate}
    return values


def record_in_trail(
    action: Action, run: JobRun, *, status: str, message: str, now: datetime, late: bool = False
) -> None:
    """Puts the action into the run's trail, and has the run read again. Engines forget who paused
    an activity, and who terminated in a batch: this note does not."""
    numbered = adapter_for(run.engine).features.numbers_events
    seq = run.history_through if numbered else int(now.timestamp() * 1_000_000)
    outcome = ActionStatus(status).label.lower()
    text = f"{action.reason} · {message}" if message else action.reason
    event = JobEvent(
        run=run,
        seq=seq,
        key=f"{action.note_key}:late" if late else action.note_key,
        at=now,
        kind=EventKind.NOTE,
        title=f"{action.what}: {outcome}"[:LONGEST_TITLE],
        actor=action.actor[:255],
        message=text[:LONGEST_MESSAGE],
        detail={
            "order": action.pk,  # as programs that read events over REST know it
            "verb": action.verb,
            "outcome": status,
            "reason": action.reason[:LONGEST_MESSAGE],
            "arguments": repeatable(action.arguments),
        },
    )
    JobEvent.objects.bulk_create([event], ignore_conflicts=True)
    changes: dict[str, Any] = {"event_count": F("event_count") + 1, "updated_at": now}
    if numbered:
        # Engines without numbers tell of changes by themselves, and of ended runs nothing more.
        changes |= {"history_due": True, "history_tries": 0}
    JobRun.objects.filter(pk=run.pk).update(**changes)
