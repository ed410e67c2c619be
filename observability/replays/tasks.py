"""Celery: runs replays, and finds those that a dead worker left."""

from __future__ import annotations

from django.utils import timezone

from console.celery import app, enqueue
from observability.replays.models import Replay
from observability.replays.services import execution
from observability.replays.services.replays import RUN

_SLICE_SECONDS = 120.0


@app.task(name=RUN)
def run_replay(replay_id: int) -> None:
    """Replays for two minutes, then lets other tasks have their turn."""
    if execution.run(replay_id, seconds=_SLICE_SECONDS):
        enqueue(RUN, replay_id)


@app.task(name="observability.replays.tasks.resume")
def resume() -> None:
    """Every half minute: replays that are not finished and that nobody works on."""
    unclaimed = Replay.objects.unfinished().unclaimed(now=timezone.now())
    for replay_id in unclaimed.values_list("pk", flat=True)[:20]:
        enqueue(RUN, replay_id)
