"""Who suspended a Job and when, as far as it says itself. Near-pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from console.unstructured import moment
from observability.engines.contracts import EventKind, RunEvent
from observability.engines.kubernetes.objects import condition_of
from observability.engines.unstructured import (
    Object,
    annotations_of,
    created_of,
    creator_of,
    event,
    labels_of,
    micros,
    text,
    writer_of,
)

_QUEUE: Final = "kueue.x-k8s.io/queue-name"
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
    by, at = writer_of(job, "spec", "suspend")
    queue = labels_of(job).get(_QUEUE)
    if queue:
        return f"suspended until Kueue admits it from the queue {text(queue, 100)}"
    who = f" by {by}" if by else ""
    if at is None:
        return f"suspended{who}"
    # Times are whole seconds: who else wrote it in the first one did so after the creation.
    if at <= created_of(job, at) and by == creator_of(job):
        return f"suspended{who} when it was created"
    return f"suspended{who} at {at:%Y-%m-%d %H:%M:%S} UTC"


def suspension_events(job: Object) -> Iterator[RunEvent]:
    """The last time that it was suspended or resumed."""
    condition = condition_of(job, "Suspended")
    at = moment(condition.get("lastTransitionTime"))
    if at is None:
        return
    suspended = condition.get("status") == "True"
    kind = EventKind.PAUSED if suspended else EventKind.RESUMED
    _, changed = writer_of(job, "spec", "suspend")
    yield event(
        at,
        kind,
        "Job suspended" if suspended else "Job resumed",
        *(kind.value, str(micros(at))),
        order=8,
        actor=suspender_of(job),
        message=_note(job, _REASON, 1000) or (suspension_words(job) if suspended else ""),
        detail={"spec_changed_at": changed.isoformat() if changed else None},
    )
