"""Asking for replays, and stopping them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from django.db import transaction
from django.utils import timezone

from console.audit import services as audit
from console.audit.services import Actor
from console.celery import enqueue
from console.errors import DomainError
from observability.engines.registry import adapter_for
from observability.jobs.models import JobRun
from observability.replays.models import (
    Replay,
    ReplayResult,
    ReplayState,
    WorkflowBundle,
)

RUN = "observability.replays.tasks.run_replay"
MOST_RUNS = 5000


def ask(*, bundle: WorkflowBundle, runs: Sequence[JobRun], selection: str, actor: Actor) -> Replay:
    """Writes down what is to be replayed and tells a worker. Raises DomainError: `bundle_retired`,
    `nothing_to_replay`, `too_many_runs`, `not_replayable` (a run without such a history)."""
    if bundle.retired_at is not None:
        raise DomainError(
            "bundle_retired", f"Bundle: {bundle} is retired; choose another.", field="bundle"
        )
    if not runs:
        raise DomainError(
            "nothing_to_replay",
            f"Runs: nothing matches {selection!r}; ask for other runs.",
            field="runs",
        )
    if len(runs) > MOST_RUNS:
        raise DomainError(
            "too_many_runs",
            f"Runs: {len(runs)} are more than the {MOST_RUNS} of one replay; narrow it.",
            field="runs",
        )
    for run in runs:
        if not is_replayable(run):
            raise DomainError(
                "not_replayable",
                f"Runs: {run.external_id[:80]} ran on {run.get_engine_display()}; only workflows of"
                " Temporal record what a replay needs.",
                field="runs",
            )
    with transaction.atomic():
        replay = _write(bundle, runs, selection, actor)
        transaction.on_commit(partial(enqueue, RUN, replay.pk))
    return replay


def is_replayable(run: JobRun) -> bool:
    """Whether a run has a history that code can be run against."""
    replayable = adapter_for(run.engine).features.replayable
    return replayable is not None and replayable(run.run_id)


def _write(bundle: WorkflowBundle, runs: Sequence[JobRun], selection: str, actor: Actor) -> Replay:
    replay = Replay.objects.create(
        bundle=bundle,
        selection=selection[:500],
        total=len(runs),
        actor=actor.name,
        created_at=timezone.now(),
    )
    ReplayResult.objects.bulk_create(
        [ReplayResult(replay=replay, run=run) for run in runs], batch_size=500
    )
    audit.record(
        actor=actor,
        action="replay.ask",
        object_type="replay",
        object_id=replay.pk,
        object_label=str(replay),
        after={"bundle": str(bundle), "runs": len(runs)},
    )
    return replay


def stop(*, replay: Replay, actor: Actor) -> bool:
    """No further run is replayed; what is done stays. False when it had ended already."""
    with transaction.atomic():
        open_ones = Replay.objects.filter(pk=replay.pk, finished_at=None)
        stopped = open_ones.update(state=ReplayState.STOPPED, finished_at=timezone.now())
        if stopped:
            audit.record(
                actor=actor,
                action="replay.stop",
                object_type="replay",
                object_id=replay.pk,
                object_label=str(replay),
            )
    return bool(stopped)
