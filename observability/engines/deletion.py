"""An object whose deletion was asked for and that is still there: since when, and what holds it.

Near-pure. Whoever writes a finalizer into an object keeps it until that is taken out again; a
controller that cannot do its part (artifacts whose bucket is gone) never does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from console.unstructured import mapping, moment, sequence, whole
from observability.engines.contracts import EventKind, RunEvent
from observability.engines.unstructured import Object, event, metadata_of, micros, short_hash, text

HELD: Final = "h"
"""Flag in a revision: its deletion was asked for before it was gone."""
_MOST: Final = 5
_LONGEST: Final = 120
_LONGEST_GRACE: Final = 10**9
GRACE: Final = timedelta(seconds=60)
"""How long after its time a clean-up is not called overdue: controllers are busy too."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """When deletion was asked for, the finalizers that hold the object, and why they still do as
    far as anything says."""

    asked_at: datetime
    finalizers: tuple[str, ...] = ()
    reason: str = ""

    def words(self) -> str:
        """`held by finalizer artifact-gc: bucket does not exist`."""
        why = f": {self.reason}" if self.reason else ""
        if not self.finalizers:
            return f"no finalizer holds it{why}"
        many = "finalizers" if len(self.finalizers) > 1 else "finalizer"
        return f"held by {many} {', '.join(self.finalizers)}{why}"

    def detail(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "asked_at": self.asked_at.isoformat(),
            "finalizers": list(self.finalizers),
            "reason": self.reason,
        }

    def events(self) -> Iterator[RunEvent]:
        """That it was asked for; anew when something else holds it."""
        words = self.words()
        yield event(
            self.asked_at,
            EventKind.CLEANUP,
            f"Deletion asked for, {'held' if self.finalizers else 'not done yet'}",
            *("deletion", short_hash(words)),
            order=93,
            message=f"Deletion asked at {self.asked_at:%Y-%m-%d %H:%M:%S} UTC, {words}.",
            detail=self.detail(),
        )


def deleted_at(item: Object) -> datetime | None:
    """When the deletion of an object was asked for; None when it was not.

    The deletionTimestamp of a pod is when its grace period ends, not when that began.
    """
    metadata = metadata_of(item)
    due = moment(metadata.get("deletionTimestamp"))
    if due is None:
        return None
    grace = whole(metadata.get("deletionGracePeriodSeconds")) or 0
    return due - timedelta(seconds=min(max(grace, 0), _LONGEST_GRACE))


def removed_at(item: Object, flags: Collection[str], now: datetime) -> datetime:
    """When an object that is gone was removed, as far as can be told: what a finalizer held (see
    `flags` of its revision) was not removed when its deletion was asked for."""
    asked_at = deleted_at(item)
    return now if asked_at is None or HELD in flags else asked_at


def cleanup_events(
    *, due: datetime | None, ended_at: datetime, gone_at: datetime | None, is_overdue: bool
) -> Iterator[RunEvent]:
    """That an ended run was removed, or should have been; `due`: when it is to remove itself."""
    if gone_at is not None:
        words = "Removed itself as planned" if due else "Removed"
        seq = micros(due or ended_at, 95)
        yield event(gone_at, EventKind.CLEANUP, words, "cleaned", seq=seq)
    elif due and is_overdue:
        yield event(
            due + GRACE,
            EventKind.CLEANUP,
            "Clean-up overdue",
            "overdue",
            message="It should have removed itself and is still there.",
            detail={"due_at": due.isoformat()},
        )


def stored_deletion(detail: object) -> Deletion | None:
    """The deletion behind its JSON; None for anything else."""
    stored = mapping(detail)
    asked_at = moment(stored.get("asked_at"))
    if asked_at is None:
        return None
    names = (text(name, _LONGEST) for name in sequence(stored.get("finalizers")))
    return Deletion(asked_at, tuple(names), text(stored.get("reason")))


def deletion_of(item: Object, reason: str = "") -> Deletion | None:
    """The deletion of an object that is still there; None when nobody asked for it."""
    asked_at = deleted_at(item)
    if asked_at is None:
        return None
    names = sequence(metadata_of(item).get("finalizers"))
    finalizers = tuple(name for name in (text(name, _LONGEST) for name in names) if name)
    return Deletion(asked_at, finalizers[:_MOST], text(reason, 500))
