"""Workflows of a cluster as runs: listed once, then watched; their steps come along with them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any, Final

from console.clients.argo_server import ArgoServer
from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.kinds import Selection
from console.clients.kubernetes.watch import UNREADABLE, WatchEvent, pages, watch
from console.errors import NotFound, Refused
from observability.engines.argo.archive import Archive
from observability.engines.argo.attempts import Attempts, condensed, unseen_end
from observability.engines.argo.runs import document_of, run_of
from observability.engines.argo.shape import WORKFLOW
from observability.engines.argo.state import (
    OVERDUE,
    WorkflowSnapshot,
    flags_of,
    is_retry_of,
    split_run_id,
    status_of,
)
from observability.engines.contracts import (
    JSON_DOCUMENT,
    ChangePage,
    Engine,
    History,
    RunRef,
    RunSnapshot,
)
from observability.engines.ports import KnownRuns
from observability.engines.unstructured import Object, name_of, namespace_of, uid_of
from observability.engines.watching import (
    DUE_EVERY,
    ListAndWatch,
    Missing,
    Position,
    change_pages,
    packed,
    vanished_run,
)
from tenants.adapters.argo import server_for
from tenants.adapters.kubernetes import client_for
from tenants.contracts import PlacementRef, TargetRef

WORKFLOWS: Final = Selection("Workflow")
PAGE: Final = 25
"""Workflows in one request: each may be a megabyte."""
GATHER: Final = 0.5
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
        known: KnownRuns,
        now: datetime,
        wait: float,
    ) -> Iterator[ChangePage]:
        """See ports.EngineSource. A cluster-wide list at first, then a watch; archived workflows
        are read through the Argo server, where there is one, after every list."""
        yield from _Workflows(target, placements, known, now).pages(cursor, wait)

    def history(self, *, target: TargetRef, run: RunRef, after: int) -> History:
        """See ports.EngineSource. Steps that are not in the object come from the Argo server."""
        uid, attempt = split_run_id(run.run_id)
        workflow = _with_steps(target, run, uid)
        if is_retry_of(run.revision, workflow):
            raise NotFound(f"Workflow {run.external_id} was retried by hand, which overwrote this")
        snapshot = run_of(WorkflowSnapshot(workflow, attempt), run.created_at)
        return History(
            events=tuple(event for event in snapshot.events if event.seq > after),
            document=document_of(workflow),
            media=JSON_DOCUMENT,
            run=replace(snapshot, document=None, needs_history=False, revision=run.revision),
            complete=snapshot.closed_at is not None,
        )


def _with_steps(target: TargetRef, run: RunRef, uid: str) -> Object:
    """A workflow with its steps, from the cluster or else the Argo server. Raises NotFound."""
    server = server_for(target)
    try:
        workflow = client_for(target).get("Workflow", run.external_id, namespace=run.location)
        if uid_of(workflow) != uid:
            raise NotFound(f"Workflow {run.external_id} is another one by now")
    except NotFound:
        if server is None:
            raise
        return server.archived_workflow(uid)
    offloaded = status_of(workflow).get("offloadNodeStatusVersion")
    if offloaded and server is not None:
        return server.workflow(run.location, run.external_id, uid=uid)
    return workflow


class _Workflows(ListAndWatch):
    """One call of `changes`."""

    kinds = (WORKFLOWS.kind,)
    noun = "workflows"
    shape = WORKFLOW

    def __init__(
        self,
        target: TargetRef,
        placements: Sequence[PlacementRef],
        known: KnownRuns,
        now: datetime,
    ) -> None:
        self._server: ArgoServer | None = server_for(target)
        super().__init__(placements, known, now, repr(self._server))
        self._client: KubernetesClient = client_for(target)
        self._attempts = Attempts(known)
        self._archive = Archive(target, known, self._places, self._server, self._set_aside)

    # -- everything --------------------------------------------------------------------------

    def _list_all(
        self, before: Mapping[str, Any], lost: Position | None
    ) -> Generator[ChangePage, None, Position]:
        try:
            return (yield from super()._list_all(before, lost))
        except NotFound:
            message = "the cluster serves no Workflows: is Argo Workflows installed?"
            raise Refused(message, code="no_workflows") from None

    def _list(
        self, before: Mapping[str, Any], lost: Position | None
    ) -> Generator[ChangePage, None, Position]:
        missing, extra = self._missing()
        now = self._clock.now()
        listed = pages(self._client, WORKFLOWS, size=PAGE)
        first = next(listed)
        places = tuple(sorted(extra))
        after = Position(
            {WORKFLOWS.kind: first.version}, self._digest, now, now + DUE_EVERY, places
        )
        namespaces = self._places | extra

        there = (item for page in chain((first,), listed) for item in page.objects)
        items = (item for item in there if namespace_of(item) in namespaces)
        for runs in packed(self._changed(items, missing)):
            yield ChangePage(runs, before)
        for runs in packed(self._archive.runs(lost, missing, now)):
            yield ChangePage(runs, before)
        yield from self._gone(missing, before, after, lost)
        return after

    def _changed(self, items: Iterable[Object], missing: Missing) -> Iterator[RunSnapshot]:
        """The runs that are not known as they are; what is there is no longer missing."""
        for snapshot in self._attempts.resolve(items):
            missing.pop((name_of(snapshot.workflow), snapshot.run_id), None)
            for run in self._runs(snapshot):
                missing.pop((run.external_id, run.run_id), None)
                if run.revision != snapshot.before:
                    yield run

    # -- what is due -------------------------------------------------------------------------

    def _due_run(self, ref: RunRef) -> RunSnapshot | None:
        now = self._clock.now()
        uid, attempt = split_run_id(ref.run_id)
        try:
            workflow = self._client.get("Workflow", ref.external_id, namespace=ref.location)
        except NotFound:
            return vanished_run(ref, now)
        if uid_of(workflow) != uid or is_retry_of(ref.revision, workflow):
            return vanished_run(ref, now)
        if OVERDUE in flags_of(ref.revision):
            return None
        snapshot = WorkflowSnapshot(workflow, attempt, ref.revision)
        return next(self._set_aside.runs(workflow, lambda: [run_of(snapshot, now)]), None)

    # -- what is new -------------------------------------------------------------------------

    def _watch(self, wait: float) -> Iterator[ChangePage]:
        position = self._position
        versions = {WORKFLOWS: position.versions[WORKFLOWS.kind]}
        namespaces = self._places | frozenset(position.extra)
        for batch in watch(self._client, versions, quiet=wait, gather=GATHER, room=MOST_ROOM):
            now = self._clock.now()
            if not batch:
                quiet = position.at({}, now).cursor()
                yield ChangePage((), quiet, through=now, caught_up=True)
                continue
            before = position.cursor()
            last = next((change.version for change in reversed(batch) if change.version), "")
            position = position.at({WORKFLOWS.kind: last} if last else {}, now)
            for change in batch:
                if change.verb == UNREADABLE:
                    self._set_aside.line(WORKFLOWS.kind)
            changes = [change for change in batch if namespace_of(change.object) in namespaces]
            yield from change_pages(self._snapshots(condensed(changes)), before, position)
            self._position = position

    def _snapshots(self, changes: Iterable[WatchEvent]) -> Iterator[RunSnapshot]:
        for change in changes:
            gone = change.verb == "DELETED"
            for snapshot in self._attempts.resolve([change.object], deleted=gone):
                yield from self._runs(snapshot)

    def _runs(self, snapshot: WorkflowSnapshot) -> Iterator[RunSnapshot]:
        """The run, after the one before it where that ended unseen; none of what cannot be read."""
        yield from self._set_aside.runs(snapshot.workflow, lambda: self._translated(snapshot))

    def _translated(self, snapshot: WorkflowSnapshot) -> Iterator[RunSnapshot]:
        now = self._clock.now()
        run = run_of(snapshot, now)
        unfinished = self._attempts.unfinished_before(snapshot)
        if unfinished:
            yield unseen_end(snapshot, unfinished, run.created_at)
        self._attempts.give(run)
        yield run
