"""Jobs of a cluster as runs: listed once, then watched; their events come along with them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.watch import Expired, watch
from console.errors import NotFound, Unreachable
from observability.engines.contracts import (
    JSON_DOCUMENT,
    ChangePage,
    Engine,
    History,
    RunRef,
    RunSeen,
)
from observability.engines.kubernetes.reading import (
    WANTS,
    Census,
    Marks,
    read_job,
)
from observability.engines.kubernetes.state import (
    OVERDUE,
    JobSeen,
    document_of,
    flags_of,
)
from observability.engines.kubernetes.translate import GRACE, run_of
from observability.engines.ports import Known
from observability.engines.unstructured import name_of, uid_of
from observability.engines.watching import (
    DUE_EVERY,
    MOST_RUNS,
    Clock,
    Position,
    change_pages,
    digest_of,
    gap_since,
    packed,
    places_of,
    position_of,
    vanished_run,
)
from tenants.adapters.kubernetes import client_for
from tenants.contracts import PlacementRef, TargetRef

GATHER: Final = 0.25
"""Seconds in which changes gather: a pod that starts changes several times in a row."""
CENSUSES: Final = 3
MOST_DUE: Final = 200
"""Jobs whose clean-up is looked after at once; the others a minute later."""


class KubernetesSource:
    """Reads Jobs. Keeps nothing between calls."""

    engine = Engine.KUBERNETES

    def changes(
        self,
        *,
        target: TargetRef,
        placements: Sequence[PlacementRef],
        cursor: Mapping[str, Any],
        known: Known,
        now: datetime,
        wait: float,
    ) -> Iterator[ChangePage]:
        """See ports.Source. One cluster-wide list per kind at first, then three watches."""
        look = _Look(client_for(target), placements, known, Clock(now))
        yield from look.pages(cursor, wait)

    def history(self, *, target: TargetRef, run: RunRef, after: int) -> History:
        """See ports.Source."""
        found = read_job(client_for(target), run.location, run.external_id)
        if uid_of(found.job) != run.run_id:
            raise NotFound(f"Job {run.external_id} is another one by now")
        seen = run_of(found, run.created_at)
        return History(
            events=tuple(one for one in seen.events if one.seq > after),
            document=document_of(found),
            media=JSON_DOCUMENT,
            run=replace(seen, document=None),
            complete=seen.closed_at is not None,
        )


class _Look:
    """One call of `changes`."""

    def __init__(
        self,
        client: KubernetesClient,
        placements: Sequence[PlacementRef],
        known: Known,
        clock: Clock,
    ) -> None:
        self._client, self._known, self._clock = client, known, clock
        self._places = places_of(placements)
        self._digest = digest_of(self._places)

    def pages(self, cursor: Mapping[str, Any], wait: float) -> Iterator[ChangePage]:
        """Everything when nothing is known, then what is new."""
        position = position_of(cursor, (want.kind for want in WANTS))
        if position is None or position.places != self._digest:
            position = yield from self._everything(cursor, None)
        elif position.due_at <= self._clock.now():
            position = yield from self._due(position)
        self._position = position
        try:
            yield from self._news(wait)
        except Expired:
            lost = self._position
            self._position = yield from self._everything(lost.cursor(), lost)
            yield from self._news(wait)

    # -- everything --------------------------------------------------------------------------

    def _everything(
        self, before: Mapping[str, Any], lost: Position | None
    ) -> Generator[ChangePage, None, Position]:
        """Every Job that is there and every run of ours that is not; `lost` is where the cluster
        could not go on from. A list that expires half-way is begun anew."""
        for _ in range(CENSUSES):
            try:
                return (yield from self._census(before, lost))
            except Expired:
                continue
        raise Unreachable(f"list jobs: the lists expired {CENSUSES} times")

    def _census(
        self, before: Mapping[str, Any], lost: Position | None
    ) -> Generator[ChangePage, None, Position]:
        missing = {(ref.external_id, ref.run_id): ref for ref in self._known.open_runs()}
        extra = frozenset(ref.location for ref in missing.values()) - self._places
        due = list(self._known.due_runs(self._clock.now() - GRACE))
        missing |= {(ref.external_id, ref.run_id): ref for ref in due}
        census = Census(self._client)
        now = self._clock.now()
        after = Position(census.versions, self._digest, now, now + DUE_EVERY, tuple(sorted(extra)))
        for page in packed(self._changed(census.jobs(self._places | extra), missing)):
            yield ChangePage(page, before)
        gone = (vanished_run(ref, self._clock.now()) for ref in missing.values())
        gaps = gap_since(lost, now)
        for last in change_pages(gone, before, after):
            yield replace(last, gaps=gaps, through=now)
        return after

    def _changed(
        self, jobs: Iterable[JobSeen], missing: dict[tuple[str, str], RunRef]
    ) -> Iterator[RunSeen]:
        """The runs of Jobs that are not known as they are; what is there is no longer missing."""
        for some in _some(jobs):
            for seen in self._with_revisions(some):
                missing.pop((name_of(seen.job), uid_of(seen.job)), None)
                run = run_of(seen, self._clock.now())
                if run.revision != seen.before:
                    yield run

    def _with_revisions(self, some: Sequence[JobSeen]) -> Iterator[JobSeen]:
        ids = [(name_of(seen.job), uid_of(seen.job)) for seen in some]
        revisions = self._known.revisions(ids)
        for seen, id in zip(some, ids, strict=True):
            yield replace(seen, before=revisions.get(id, ""))

    # -- what is due -------------------------------------------------------------------------

    def _due(self, position: Position) -> Generator[ChangePage, None, Position]:
        """Looks after Jobs that should have removed themselves: a watch is silent about what does
        not happen."""
        now = self._clock.now()
        after = replace(position, due_at=now + DUE_EVERY)
        refs = islice(self._known.due_runs(now - GRACE), MOST_DUE)
        runs = (run for ref in refs if (run := self._due_run(ref)) is not None)
        yield from change_pages(runs, position.cursor(), after)
        return after

    def _due_run(self, ref: RunRef) -> RunSeen | None:
        now = self._clock.now()
        try:
            seen = read_job(self._client, ref.location, ref.external_id)
        except NotFound:
            return vanished_run(ref, now)
        if uid_of(seen.job) != ref.run_id:
            return vanished_run(ref, now)
        if OVERDUE in flags_of(ref.revision):
            return None
        return run_of(replace(seen, before=ref.revision), now)

    # -- what is new -------------------------------------------------------------------------

    def _news(self, wait: float) -> Iterator[ChangePage]:
        """What changes from here on, until nothing has for `wait` seconds."""
        position = self._position
        versions = {want: position.versions[want.kind] for want in WANTS}
        namespaces = self._places | frozenset(position.extra)
        for batch in watch(self._client, versions, quiet=wait, gather=GATHER):
            now = self._clock.now()
            if not batch:
                quiet = position.at({}, now).cursor()
                yield ChangePage((), quiet, through=now, caught_up=True)
                continue
            marks = Marks(namespaces)
            for change in batch:
                marks.see(change)
            before, position = position.cursor(), position.at(marks.versions, now)
            yield from change_pages(self._runs(marks), before, position)
            self._position = position

    def _runs(self, marks: Marks) -> Iterator[RunSeen]:
        for some in _some(marks.jobs(self._client)):
            for seen in self._with_revisions(some):
                yield run_of(seen, self._clock.now())


def _some(jobs: Iterable[JobSeen]) -> Iterator[list[JobSeen]]:
    """Jobs in lists of MOST_RUNS."""
    rest = iter(jobs)
    while some := list(islice(rest, MOST_RUNS)):
        yield some
