"""What happened to a Job and to its pods, as events of the trail. Near-pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from console.unstructured import mapping, moment, whole
from observability.engines.contracts import (
    DENIALS,
    EventKind,
    FailureKind,
    RunEvent,
    Status,
)
from observability.engines.deletion import Deletion, cleanup_events, removed_at
from observability.engines.kubernetes.denials import DenialReason, Denials
from observability.engines.kubernetes.endings import EPOCH
from observability.engines.kubernetes.objects import has_ended, status_of
from observability.engines.kubernetes.outcome import JobOutcome
from observability.engines.kubernetes.pods import JobPod, pod_events, removed_event
from observability.engines.kubernetes.state import GONE, JobSnapshot, managed_by
from observability.engines.kubernetes.suspension import suspension_events
from observability.engines.unstructured import (
    LAST,
    checkpoint_events,
    created_of,
    event,
    metadata_of,
    micros,
    text,
    uid_of,
)

_REFUSERS: Final = {
    FailureKind.QUOTA: "quota ",
    FailureKind.POD_SECURITY: "Pod Security ",
    FailureKind.WEBHOOK: "the webhook ",
    FailureKind.ADMISSION_POLICY: "the policy ",
    FailureKind.SERVICE_ACCOUNT: "the missing service account ",
}
"""What stands before the name of who refused."""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A Job with what was made of it so far. `is_let_in` says that pods which were refused are
    there now; the clean-up is None where none is planned."""

    snapshot: JobSnapshot
    created: datetime
    now: datetime
    creator: str
    pods: Sequence[JobPod]
    denials: Denials | None
    outcome: JobOutcome | None
    deletion: Deletion | None
    is_let_in: bool
    cleanup_at: datetime | None
    is_overdue: bool


def job_events(facts: JobFacts) -> list[RunEvent]:
    """All events that can be told from what is there now, in order."""
    return sorted(_events(facts), key=lambda run_event: (run_event.seq, run_event.key))


def _events(facts: JobFacts) -> Iterator[RunEvent]:
    job, created = facts.snapshot.job, facts.created
    yield event(created, EventKind.CREATED, "Job created", "created", actor=facts.creator)
    begun = moment(status_of(job).get("startTime"))
    if begun:
        stamp = str(micros(begun))
        yield event(begun, EventKind.STARTED, "Job started", "started", stamp, order=5)
    if manager := managed_by(job):
        words = "its own controller leaves it alone, and its pods may be in another cluster"
        title = f"Managed by {manager}"
        yield event(created, EventKind.NOTE, title, "managed", order=3, message=words)
    yield from suspension_events(job)
    yield from _refusals(facts)
    yield from checkpoint_events(job, begun or created)
    for subject in facts.pods:
        yield from pod_events(subject, created)
        if subject.gone_at is not None and not has_ended(subject.pod):
            yield removed_event(subject, subject.gone_at)
    if facts.deletion:
        yield from facts.deletion.events()
    if facts.outcome:
        yield from _end(facts, facts.outcome)


def _refusals(facts: JobFacts) -> Iterator[RunEvent]:
    if facts.denials:
        yield from map(_denied, facts.denials.reasons)
    if facts.is_let_in:
        yield from _let_in(facts)


def _denied(reason: DenialReason) -> RunEvent:
    """One reason of refusal; the event moves on with its number and its amounts."""
    refusal = reason.refusal
    by = f" by {_REFUSERS.get(refusal.kind, '')}{refusal.by}" if refusal.by else ""
    return event(
        reason.first_at,
        EventKind.DENIED,
        f"Pods refused{by}",
        *("denied", reason.id),
        order=12,
        message=text(refusal.words),
        detail=reason.detail(),
    )


def _let_in(facts: JobFacts) -> Iterator[RunEvent]:
    known = mapping(facts.snapshot.known.attributes.get(DENIALS))
    first, last = moment(known.get("first_at")), moment(known.get("last_at"))
    after = [item.pod for item in facts.pods if last and created_of(item.pod, EPOCH) >= last]
    if first is None or not after:
        return
    pod = min(after, key=lambda item: created_of(item, EPOCH))
    count = whole(known.get("count")) or 1
    yield event(
        created_of(pod, facts.now),
        EventKind.NOTE,
        "Its pods are no longer refused",
        *("let-in", uid_of(pod)),
        order=14,
        message=f"Refused {count:,} times since {first:%Y-%m-%d %H:%M:%S} UTC: "
        f"{text(known.get('words'), 600)}",
    )


def _end(facts: JobFacts, outcome: JobOutcome) -> Iterator[RunEvent]:
    if outcome.status is Status.DELETED:
        known = moment(metadata_of(facts.snapshot.job).get("deletionTimestamp"))
        seq = micros(known, 99) if known else LAST
        yield event(outcome.at, EventKind.DELETED, "Deleted unfinished", "deleted", seq=seq)
        return
    titles = {Status.SUCCEEDED: "Job completed", Status.TIMED_OUT: "Job exceeded its deadline"}
    yield event(
        outcome.at,
        EventKind(outcome.status.value),
        titles.get(outcome.status, "Job failed"),
        "closed",
        order=90,
        message=outcome.message or outcome.note,
        detail={"reason": outcome.reason, "failure": outcome.kind.value},
    )
    yield from _cleanup(facts, outcome)


def _cleanup(facts: JobFacts, outcome: JobOutcome) -> Iterator[RunEvent]:
    snapshot = facts.snapshot
    went = snapshot.deleted and GONE not in snapshot.flags
    return cleanup_events(
        due=facts.cleanup_at,
        ended_at=outcome.at,
        gone_at=removed_at(snapshot.job, snapshot.flags, facts.now) if went else None,
        is_overdue=facts.is_overdue and not facts.deletion,
    )
