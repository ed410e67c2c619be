"""Jobs of a cluster as runs: listed once, then watched; their events come along with them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from console.chunks import chunks
from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.watch import UNREADABLE, watch
from console.errors import NotFound
from observability.engines.contracts import (
    JSON_DOCUMENT,
    ChangePage,
    Engine,
    EventKind,
    History,
    RunRef,
    RunSnapshot,
)
from observability.engines.kubernetes.reading import (
    WANTS,
    ChangedJobs,
    JobListing,
    read_job,
)
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.shape import JOB
from observability.engines.kubernetes.state import (
    MANUAL,
    OVERDUE,
    JobSnapshot,
    document_of,
    flags_of,
    needs_known,
)
from observability.engines.ports import KnownRuns
from observability.engines.unstructured import name_of, uid_of
from observability.engines.watching import (
    DUE_EVERY,
    MOST_DUE,
    MOST_RUNS,
    ListAndWatch,
    Missing,
    Position,
    change_pages,
    packed,
    vanished_run,
)
from tenants.adapters.kubernetes import client_for
from tenants.contracts import PlacementRef, TargetRef

GATHER: Final = 0.5
"""Seconds in which changes gather: a pod that starts changes several times in a row."""


class KubernetesSource:
    """Reads Jobs. Keeps nothing between calls."""

    engine = Engine.KUBERNETES

    def changes(
        self,
        *,
        target: TargetRef,
        placements: Sequence[PlacementRef],
        cursor: Mapping[str, Any],
        known: KnownRuns,
        now: datetime,
        wait: float,
    ) -> Iterator[ChangePage]:
        """See ports.EngineSource. One cluster-wide list per kind at first, then three watches."""
        yield from _Jobs(client_for(target), placements, known, now).pages(cursor, wait)

    def history(self, *, target: TargetRef, run: RunRef, after: int) -> History:
        """See ports.EngineSource."""
        job = read_job(client_for(target), run.location, run.external_id)
        if uid_of(job.job) != run.run_id:
            raise NotFound(f"Job {run.external_id} is another one by now")
        snapshot = run_of(job, run.created_at)
        # Refusals are counted on from what is known of them, which is not at hand here.
        events = (event for event in snapshot.events if event.kind is not EventKind.DENIED)
        return History(
            events=tuple(event for event in events if event.seq > after),
            document=document_of(job),
            media=JSON_DOCUMENT,
            run=replace(snapshot, document=None),
            complete=snapshot.closed_at is not None,
        )


class _Jobs(ListAndWatch):
    """One call of `changes`."""

    kinds = tuple(selection.kind for selection in WANTS)
    noun = "jobs"
    shape = JOB

    def __init__(
        self,
        client: KubernetesClient,
        placements: Sequence[PlacementRef],
        known: KnownRuns,
        now: datetime,
    ) -> None:
        super().__init__(placements, known, now)
        self._client = client

    # -- everything --------------------------------------------------------------------------

    def _list(
        self, before: Mapping[str, Any], lost: Position | None
    ) -> Generator[ChangePage, None, Position]:
        missing, extra = self._missing()
        listing = JobListing(self._client)
        now = self._clock.now()
        after = Position(listing.versions, self._digest, now, now + DUE_EVERY, tuple(sorted(extra)))
        for page in packed(self._changed(listing.jobs(self._places | extra), missing)):
            yield ChangePage(page, before)
        yield from self._gone(missing, before, after, lost)
        return after

    def _changed(self, jobs: Iterable[JobSnapshot], missing: Missing) -> Iterator[RunSnapshot]:
        """The runs of Jobs that are not known as they are; what is there is no longer missing."""
        for some in chunks(jobs, MOST_RUNS):
            for snapshot in self._with_revisions(some):
                missing.pop(_id_of(snapshot), None)
                for run in self._run(snapshot):
                    if run.revision != snapshot.before:
                        yield run

    def _run(self, snapshot: JobSnapshot) -> Iterator[RunSnapshot]:
        """The run of a Job; none of one that cannot be read."""
        parts = {"pods": list(snapshot.pods), "events": list(snapshot.warnings)}
        yield from self._set_aside.runs(
            snapshot.job,
            lambda: [run_of(snapshot, self._clock.now())],
            document={"job": snapshot.job, **parts},
        )

    def _with_revisions(self, some: Sequence[JobSnapshot]) -> Iterator[JobSnapshot]:
        ids = [_id_of(snapshot) for snapshot in some]
        revisions = self._known.revisions(ids)
        snapshots = [
            replace(snapshot, before=revisions.get(id, ""))
            for snapshot, id in zip(some, ids, strict=True)
        ]
        wanted = [_id_of(snapshot) for snapshot in snapshots if needs_known(snapshot)]
        details = self._known.details(wanted) if wanted else {}
        for snapshot in snapshots:
            yield replace(snapshot, known=details.get(_id_of(snapshot), snapshot.known))

    # -- what is due -------------------------------------------------------------------------

    def _due_run(self, ref: RunRef) -> RunSnapshot | None:
        now = self._clock.now()
        try:
            snapshot = read_job(self._client, ref.location, ref.external_id)
        except NotFound:
            return vanished_run(ref, now)
        if uid_of(snapshot.job) != ref.run_id:
            return vanished_run(ref, now)
        if OVERDUE in flags_of(ref.revision):
            return None
        return self._read_again(snapshot)

    def _due(self, position: Position) -> Generator[ChangePage, None, Position]:
        """Also the open Jobs whose pods no watch shows, as they do not carry a Job's name."""
        after = yield from super()._due(position)
        refs = islice((ref for ref in self._known.open_runs() if _is_by_hand(ref)), MOST_DUE)
        runs = (run for ref in refs if (run := self._changed_run(ref)) is not None)
        yield from change_pages(runs, after.cursor(), after)
        return after

    def _changed_run(self, ref: RunRef) -> RunSnapshot | None:
        try:
            snapshot = read_job(self._client, ref.location, ref.external_id)
        except NotFound:
            return None  # the watch says so
        if uid_of(snapshot.job) != ref.run_id:
            return None
        run = self._read_again(snapshot)
        return run if run and run.revision != ref.revision else None

    def _read_again(self, snapshot: JobSnapshot) -> RunSnapshot | None:
        (with_revision,) = self._with_revisions([snapshot])
        return next(self._run(with_revision), None)

    # -- what is new -------------------------------------------------------------------------

    def _watch(self, wait: float) -> Iterator[ChangePage]:
        position = self._position
        versions = {selection: position.versions[selection.kind] for selection in WANTS}
        namespaces = self._places | frozenset(position.extra)
        for batch in watch(self._client, versions, quiet=wait, gather=GATHER):
            now = self._clock.now()
            if not batch:
                quiet = position.at({}, now).cursor()
                yield ChangePage((), quiet, through=now, caught_up=True)
                continue
            changed = ChangedJobs(namespaces)
            for change in batch:
                if change.verb == UNREADABLE:
                    self._set_aside.line(change.selection.kind)
                changed.add(change)
            before, position = position.cursor(), position.at(changed.versions, now)
            yield from change_pages(self._runs(changed), before, position)
            self._position = position

    def _runs(self, changed: ChangedJobs) -> Iterator[RunSnapshot]:
        for some in chunks(changed.jobs(self._client), MOST_RUNS):
            for snapshot in self._with_revisions(some):
                yield from self._run(snapshot)


def _id_of(snapshot: JobSnapshot) -> tuple[str, str]:
    return name_of(snapshot.job), uid_of(snapshot.job)


def _is_by_hand(ref: RunRef) -> bool:
    return MANUAL in flags_of(ref.revision)
