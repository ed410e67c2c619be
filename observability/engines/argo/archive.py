"""Runs that are gone from the cluster, from the archive of the Argo server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from console.clients.argo_server import ArgoServer
from console.errors import NotFound
from observability.engines.argo.runs import run_of
from observability.engines.argo.state import (
    WorkflowSnapshot,
    is_completed,
    is_retry_of,
    split_run_id,
)
from observability.engines.contracts import OPEN, RunRef, RunSnapshot
from observability.engines.ports import KnownRuns
from observability.engines.set_aside import SetAside
from observability.engines.unstructured import Object, name_of, uid_of
from observability.engines.watching import Position
from tenants.contracts import TargetRef

MARGIN: Final = timedelta(minutes=10)
OLDEST: Final = timedelta(days=30)
"""How far back archived workflows are read where nothing says how long trails are kept."""


class Archive:
    """The archive behind a target; empty where no server is named."""

    def __init__(
        self,
        target: TargetRef,
        known: KnownRuns,
        places: frozenset[str],
        server: ArgoServer | None,
        set_aside: SetAside,
    ) -> None:
        self._target, self._known, self._places, self._server = target, known, places, server
        self._set_aside = set_aside

    def runs(
        self, lost: Position | None, missing: dict[tuple[str, str], RunRef], now: datetime
    ) -> Iterator[RunSnapshot]:
        """What the Argo server has of runs that are gone, and of those that we never saw."""
        if self._server is None:
            return
        for place, ref in list(missing.items()):
            run = self._from_archive(ref, now)
            if run is not None:
                del missing[place]
                yield run
        since = lost.heard_at - MARGIN if lost else now - self._oldest()
        for namespace in sorted(self._places):
            for some in self._server.archived(namespace, started_after=since):
                yield from self._unknown(some, now)

    def _oldest(self) -> timedelta:
        days = self._target.options.get("trail_retention_days")
        return timedelta(days=days) if isinstance(days, int) and 0 < days < 10_000 else OLDEST

    def _from_archive(self, ref: RunRef, now: datetime) -> RunSnapshot | None:
        """A run that is gone, as it ended; None when the archive has nothing newer of it."""
        uid, attempt = split_run_id(ref.run_id)
        if self._server is None or ref.status not in OPEN:
            return None
        try:
            workflow = self._server.archived_workflow(uid)
        except NotFound:
            return None
        if is_retry_of(ref.revision, workflow):
            return None
        numbers, _, _ = ref.revision.partition(" ")
        snapshot = WorkflowSnapshot(workflow, attempt, ref.revision, archived=True)
        run = next(self._set_aside.runs(workflow, lambda: [run_of(snapshot, now)]), None)
        return run and replace(run, revision=f"{numbers}.1 dg", cleaned_at=now)

    def _unknown(self, some: Sequence[Object], now: datetime) -> Iterator[RunSnapshot]:
        """Archived workflows that we never saw. Lists have no steps: those are fetched later."""
        ids = [(name_of(item), uid_of(item)) for item in some]
        known = self._known.revisions(ids)
        for item, id in zip(some, ids, strict=True):
            if id not in known and id[1] and is_completed(item):
                snapshot = WorkflowSnapshot(item, archived=True)
                for run in self._set_aside.runs(item, partial(_run, snapshot, now)):
                    yield replace(run, needs_history=True, document=None, cleaned_at=now)


def _run(snapshot: WorkflowSnapshot, now: datetime) -> list[RunSnapshot]:
    return [run_of(snapshot, now)]
