"""Who suspended a Job and when, as far as it says itself. Near-pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from console.unstructured import moment, whole
from observability.engines.contracts import EventKind, RunEvent
from observability.engines.kubernetes.objects import condition_of, true_since
from observability.engines.unstructured import (
    Object,
    annotations_of,
    created_of,
    creator_of,
    event,
    labels_of,
    metadata_of,
    micros,
    text,
    writer_of,
)

_QUEUE: Final = "kueue.x-k8s.io/queue-name"
_KUEUE: Final = "kueue"
"""What the names of Kueue's field managers begin with."""
_SYNCED: Final = timedelta(seconds=2)
"""Within which a controller that is well has noted how a Job was created."""
_ACTION, _ACTOR, _REASON = (f"headroom.dev/last-{part}" for part in ("action", "actor", "reason"))


def suspender_of(job: Object) -> str:
    """Who last wrote whether a Job is suspended: a person of ours, or the program that wrote it."""
    manager, _ = writer_of(job, "spec", "suspend")
    return _note(job, _ACTOR, 255) or manager


def _note(job: Object, name: str, longest: int) -> str:
    """What our own last act on the Job left there, where it was the last to suspend or resume."""
    manager, _ = writer_of(job, "spec", "suspend")
    notes = annotations_of(job)
    if not manager.startswith("headroom") or notes.get(_ACTION) not in ("suspend", "resume"):
        return ""
    return text(notes.get(name), longest)


def suspension_words(job: Object) -> str:
    """Why a suspended Job does not run, by which program and since when: the person is only in the
    event, which does not show everybody its actor."""
    by, _ = writer_of(job, "spec", "suspend")  # its time is that of its last write of anything
    queue, at = text(labels_of(job).get(_QUEUE), 100), true_since(job, "Suspended")
    if queue and by.startswith(_KUEUE):
        return f"suspended until Kueue admits it from the queue {queue}"
    who = f" by {by}" if by else ""
    if _since_creation(job, by, at):
        label = f"; its label names the Kueue queue {queue}" if queue else ""
        return f"suspended{who} when it was created{label}"
    return f"suspended{who}{f' at {at:%Y-%m-%d %H:%M:%S} UTC' if at else ''}"


def _since_creation(job: Object, by: str, at: datetime | None) -> bool:
    """Whether a Job was created suspended. Its generation grows with each change of its spec."""
    if whole(metadata_of(job).get("generation")) == 1:
        return True
    return at is not None and at <= created_of(job, at) + _SYNCED and by == creator_of(job)


def suspension_events(job: Object) -> Iterator[RunEvent]:
    """The last time that it was suspended or resumed."""
    condition = condition_of(job, "Suspended")
    at = moment(condition.get("lastTransitionTime"))
    if at is None:
        return
    suspended = condition.get("status") == "True"
    kind = EventKind.PAUSED if suspended else EventKind.RESUMED
    yield event(
        at,
        kind,
        "Job suspended" if suspended else "Job resumed",
        *(kind.value, str(micros(at))),
        order=8,
        actor=suspender_of(job),
        message=_note(job, _REASON, 1000) or (suspension_words(job) if suspended else ""),
    )
