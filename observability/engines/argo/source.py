"""Workflows of a cluster as runs: listed once, then watched; their steps come along with them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final

from console.clients.argo_server import ArgoServer
from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.watch import Change, Expired, Want, pages, watch
from console.errors import NotFound, Refused, Unreachable
from observability.engines.argo.archive import Archive
from observability.engines.argo.attempts import Attempts, condensed, unseen_end
from observability.engines.argo.state import (
    GRACE,
    OVERDUE,
    WorkflowSeen,
    flags_of,
    is_retry_of,
    split_run_id,
)
from observability.engines.argo.translate import document_of, run_of
from observability.engines.contracts import (
    JSON_DOCUMENT,
    ChangePage,
    Engine,
    History,
    RunRef,
    RunSeen,
)
from observability.engines.ports import Known
from observability.engines.unstructured import Object, namespace_of, uid_of
from observability.engines.watching import (
    DUE_EVERY,
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
from tenants.adapters.argo import server_for
from tenants.adapters.kubernetes import client_for
from tenants.contracts import PlacementRef, TargetRef

WORKFLOWS: Final = Want("Workflow")
PAGE: Final = 25
"""Workflows in one request: each may be a megabyte."""
GATHER: Final = 0.1
CENSUSES: Final = 3
MOST_DUE: Final = 200
MOST_ROOM: Final = 200


class ArgoSource:
    """Reads Workflows. Keeps nothing between calls."""

    engine = Engine.ARGO

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
        """See ports.Source. A cluster-wide list at first, then a watch; archived workflows are
        read through the Argo server, where there is one, after every list."""
        look = _Look(target, placements, known, Clock(now))
        yield from look.pages(cursor, wait)

    def history(self, *, target: TargetRef, run: RunRef, after: int) -> History:
        """See ports.Source. Steps that are not in the object come from the Argo server."""
        uid, attempt = split_run_id(run.run_id)
        found = _whole(target, run, uid)
        if is_retry_of(run.revision, found):
            raise NotFound(f"Workflow {run.external_id} was retried by hand, which overwrote this")
        seen = run_of(WorkflowSeen(found, attempt), run.created_at)
        return History(
            events=tuple(one for one in seen.events if one.seq > after),
            document=document_of(found),
            media=JSON_DOCUMENT,
            run=replace(seen, document=None, needs_history=False, revision=run.revision),
            complete=seen.closed_at is not None,
        )


def _whole(target: TargetRef, run: RunRef, uid: str) -> Object:
    """A workflow with its steps, from the cluster or else the Argo server. Raises NotFound."""
    server = server_for(target)
    try:
        found = client_for(target).get("Workflow", run.external_id, namespace=run.location)
        if uid_of(found) != uid:
            raise NotFound(f"Workflow {run.external_id} is another one by now")
    except NotFound:
        if server is None:
            raise
        return server.archived_workflow(uid)
    offloaded = (found.get("status") or {}).get("offloadNodeStatusVersion")
    if offloaded and server is not None:
        return server.workflow(run.location, run.external_id, uid=uid)
    return found


class _Look:
    """One call of `changes`."""

    def __init__(
        self,
        target: TargetRef,
        placements: Sequence[PlacementRef],
        known: Known,
        clock: Clock,
    ) -> None:
        self._target, self._known, self._clock = target, known, clock
        self._client: KubernetesClient = client_for(target)
        self._server: ArgoServer | None = server_for(target)
        self._places = places_of(placements)
        self._digest = digest_of(self._places, repr(self._server))
        self._attempts = Attempts(known)
        self._archive = Archive(target, known, self._places, self._server)

    def pages(self, cursor: Mapping[str, Any], wait: float) -> Iterator[ChangePage]:
        """Everything when nothing is known, then what is new."""
        position = position_of(cursor, (WORKFLOWS.kind,))
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
        """Every Workflow that is there and every run of ours that is not; `lost` is where the
        cluster could not go on from. A list that expires half-way is begun anew."""
        for _ in range(CENSUSES):
            try:
                return (yield from self._census(before, lost))
            except Expired:
                continue
            except NotFound:
                message = "the cluster serves no Workflows: is Argo Workflows installed?"
                raise Refused(message, code="no_workflows") from None
        raise Unreachable(f"list workflows: the list expired {CENSUSES} times")

    def _census(
        self, before: Mapping[str, Any], lost: Position | None
    ) -> Generator[ChangePage, None, Position]:
        missing = {(ref.external_id, ref.run_id): ref for ref in self._known.open_runs()}
        extra = frozenset(ref.location for ref in missing.values()) - self._places
        due = self._known.due_runs(self._clock.now() - GRACE)
        missing |= {(ref.external_id, ref.run_id): ref for ref in due}
        now = self._clock.now()
        listed = pages(self._client, WORKFLOWS, size=PAGE)
        first = next(listed)
        places = tuple(sorted(extra))
        after = Position(
            {WORKFLOWS.kind: first.version}, self._digest, now, now + DUE_EVERY, places
        )
        followed = self._places | extra

        there = (item for page in chain((first,), listed) for item in page.objects)
        items = (item for item in there if namespace_of(item) in followed)
        for some in packed(self._changed(items, missing)):
            yield ChangePage(some, before)
        gaps = gap_since(lost, now)
        archived = packed(self._archive.runs(lost, missing, now))
        for some in archived:
            yield ChangePage(some, before)
        gone = (vanished_run(ref, self._clock.now()) for ref in missing.values())
        for last in change_pages(gone, before, after):
            yield replace(last, gaps=gaps, through=now)
        return after

    def _changed(
        self, items: Iterable[Object], missing: dict[tuple[str, str], RunRef]
    ) -> Iterator[RunSeen]:
        """The runs that are not known as they are; what is there is no longer missing."""
        for seen in self._attempts.resolve(items):
            for run in self._runs(seen):
                missing.pop((run.external_id, run.run_id), None)
                if run.revision != seen.before:
                    yield run

    # -- what is due -------------------------------------------------------------------------

    def _due(self, position: Position) -> Generator[ChangePage, None, Position]:
        """Looks after runs that should have removed themselves: a watch is silent about what does
        not happen."""
        now = self._clock.now()
        after = replace(position, due_at=now + DUE_EVERY)
        refs = islice(self._known.due_runs(now - GRACE), MOST_DUE)
        runs = (run for ref in refs if (run := self._due_run(ref)) is not None)
        yield from change_pages(runs, position.cursor(), after)
        return after

    def _due_run(self, ref: RunRef) -> RunSeen | None:
        now = self._clock.now()
        uid, attempt = split_run_id(ref.run_id)
        try:
            found = self._client.get("Workflow", ref.external_id, namespace=ref.location)
        except NotFound:
            return vanished_run(ref, now)
        if uid_of(found) != uid or is_retry_of(ref.revision, found):
            return vanished_run(ref, now)
        if OVERDUE in flags_of(ref.revision):
            return None
        return run_of(WorkflowSeen(found, attempt, ref.revision), now)

    # -- what is new -------------------------------------------------------------------------

    def _news(self, wait: float) -> Iterator[ChangePage]:
        """What changes from here on, until nothing has for `wait` seconds."""
        position = self._position
        versions = {WORKFLOWS: position.versions[WORKFLOWS.kind]}
        followed = self._places | frozenset(position.extra)
        for batch in watch(self._client, versions, quiet=wait, gather=GATHER, room=MOST_ROOM):
            now = self._clock.now()
            if not batch:
                quiet = position.at({}, now).cursor()
                yield ChangePage((), quiet, through=now, caught_up=True)
                continue
            before = position.cursor()
            last = next((one.version for one in reversed(batch) if one.version), "")
            position = position.at({WORKFLOWS.kind: last} if last else {}, now)
            changes = [one for one in batch if namespace_of(one.object) in followed]
            yield from change_pages(self._seen_in(condensed(changes)), before, position)
            self._position = position

    def _seen_in(self, changes: Iterable[Change]) -> Iterator[RunSeen]:
        for change in changes:
            gone = change.verb == "DELETED"
            for seen in self._attempts.resolve([change.object], deleted=gone):
                yield from self._runs(seen)

    def _runs(self, seen: WorkflowSeen) -> Iterator[RunSeen]:
        """The run, after the one before it where that ended unseen."""
        now = self._clock.now()
        run = run_of(seen, now)
        unfinished = self._attempts.unfinished_before(seen)
        if unfinished:
            yield unseen_end(seen, unfinished, run.created_at)
        self._attempts.give(run)
        yield run
