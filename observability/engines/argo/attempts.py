"""Which attempt an object is: a retry by hand keeps name and uid, and overwrites what was there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from console.chunks import chunks
from console.clients.kubernetes.watch import WatchEvent
from console.unstructured import moment
from observability.engines.argo.state import (
    ENDED,
    WorkflowSnapshot,
    flags_of,
    is_completed,
    is_retry_of,
    run_id,
    started_micros,
)
from observability.engines.contracts import (
    EventKind,
    FailureKind,
    RunSnapshot,
    Status,
)
from observability.engines.ports import KnownRuns
from observability.engines.unstructured import (
    Object,
    event,
    metadata_of,
    name_of,
    namespace_of,
    uid_of,
    version_of,
)

AT_ONCE: Final = 50
GUESS: Final = 4
"""Attempts of each object that are asked for at first."""
MOST: Final = 1000
REMEMBERED: Final = 5000
UNSEEN_END: Final = (
    "It ended and was retried by hand while it was not being read: how it ended is not known."
)


class Attempts:
    """Finds the attempt of objects among the runs that are known, and those given meanwhile."""

    def __init__(self, known: KnownRuns) -> None:
        self._known = known
        self._given: OrderedDict[tuple[str, str], str] = OrderedDict()

    def resolve(
        self, objects: Iterable[Object], *, deleted: bool = False
    ) -> Iterator[WorkflowSnapshot]:
        """Each object as a run. Whoever takes one tells `give` before taking the next."""
        for some in chunks(objects, AT_ONCE):
            latest = self._last(some)
            for item in some:
                name, uid = name_of(item), uid_of(item)
                attempt, revision = self._latest(name, uid, *latest[uid])
                if revision and is_retry_of(revision, item):
                    attempt, revision = attempt + 1, ""
                yield WorkflowSnapshot(item, attempt, revision, deleted)

    def give(self, run: RunSnapshot) -> None:
        """Remember a run that was given and may not be stored yet."""
        self._given[(run.external_id, run.run_id)] = run.revision
        if len(self._given) > REMEMBERED:
            self._given.popitem(last=False)

    def unfinished_before(self, snapshot: WorkflowSnapshot) -> str:
        """The run id of the attempt before, if its end was never seen; else empty."""
        if not snapshot.attempt or snapshot.before:
            return ""
        id = run_id(uid_of(snapshot.workflow), snapshot.attempt - 1)
        place = (name_of(snapshot.workflow), id)
        revision = self._given.get(place) or self._known.revisions([place]).get(place, "")
        return "" if ENDED in flags_of(revision) else id

    def _latest(self, name: str, uid: str, attempt: int, revision: str) -> tuple[int, str]:
        """The last attempt, those given meanwhile included."""
        while (newer := self._given.get((name, run_id(uid, attempt + 1)))) is not None:
            attempt, revision = attempt + 1, newer
        return attempt, self._given.get((name, run_id(uid, attempt)), revision)

    def _last(self, some: Sequence[Object]) -> dict[str, tuple[int, str]]:
        """The last known attempt of each object and its revision, by uid."""
        latest = {uid_of(item): (0, "") for item in some}
        pending, start = list(some), 0
        while pending and start < MOST:
            revisions = self._known.revisions(
                [
                    (name_of(item), run_id(uid_of(item), number))
                    for item in pending
                    for number in range(start, start + GUESS)
                ]
            )
            pending = [item for item in pending if self._note(item, start, revisions, latest)]
            start += GUESS
        return latest

    def _note(
        self,
        item: Object,
        start: int,
        revisions: Mapping[tuple[str, str], str],
        latest: dict[str, tuple[int, str]],
    ) -> bool:
        """Take the highest attempt of a row of guesses; whether there may be a higher one."""
        name, uid = name_of(item), uid_of(item)
        for number in range(start + GUESS - 1, start - 1, -1):
            revision = revisions.get((name, run_id(uid, number)))
            if revision is not None:
                latest[uid] = (number, revision)
                return number == start + GUESS - 1
        return False


def unseen_end(snapshot: WorkflowSnapshot, id: str, at: datetime) -> RunSnapshot:
    """The end of an attempt that was retried while nobody looked."""
    workflow = snapshot.workflow
    created = moment(metadata_of(workflow).get("creationTimestamp")) or at
    ended = event(at, EventKind.FAILED, "Ended unseen", "closed", order=90, message=UNSEEN_END)
    return RunSnapshot(
        external_id=name_of(workflow),
        run_id=id,
        location=namespace_of(workflow),
        type="",
        status=Status.FAILED,
        created_at=created,
        revision=f"{version_of(workflow) or 0}.0 dg",
        closed_at=at,
        failure=UNSEEN_END,
        failure_kind=FailureKind.OTHER,
        events=(ended,),
    )


def condensed(changes: Sequence[WatchEvent]) -> list[WatchEvent]:
    """The last change of each object, and those before it that a retry by hand overwrote."""
    kept: list[WatchEvent] = []
    last: dict[str, int] = {}
    for change in changes:
        if change.verb == "BOOKMARK":
            continue
        uid = uid_of(change.object)
        place = last.get(uid)
        if place is not None and not _overwrites(change.object, kept[place].object):
            kept[place] = change
            continue
        last[uid] = len(kept)
        kept.append(change)
    return kept


def _overwrites(now: Object, before: Object) -> bool:
    """Whether what was there is lost with the next version of an object."""
    if is_completed(before) and not is_completed(now):
        return True
    started = started_micros(before)
    return bool(started) and started_micros(now) not in (0, started)
