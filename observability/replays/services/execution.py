"""Running a replay: history by history, resumable at any point."""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.utils import timezone

from console.clients.temporal.replay.runner import ReplayOutcome, ReplayProcess
from console.errors import DomainError, ExternalError, Refused
from observability.jobs.models import JobRun
from observability.jobs.services.documents import temporal_history
from observability.replays.models import Replay, ReplayResult, ReplayState, ResultVerdict
from observability.replays.services.bundles import opened

log = structlog.get_logger(__name__)


def run(replay_id: int, *, seconds: float) -> bool:
    """Replays what waits, for at most about `seconds`; True when it is worth going on at once.

    Only one worker at a time has a replay; one that dies leaves it to the next after a while, and
    what it had finished is not done again. What cannot be read now waits for tasks.resume.
    """
    token = uuid.uuid4().hex
    if not _claim(replay_id, token):
        return False
    Replay.objects.filter(pk=replay_id, started_at=None).update(started_at=timezone.now())
    Replay.objects.filter(pk=replay_id, state=ReplayState.WAITING).update(state=ReplayState.RUNNING)
    replay = Replay.objects.select_related("bundle").get(pk=replay_id)
    try:
        with opened(replay.bundle) as process:
            contents = process.start()
            Replay.objects.filter(pk=replay_id).update(
                isolated=contents.isolated, confined=contents.confined
            )
            again = _replay_waiting(replay, process, token, time.monotonic() + seconds)
    except (DomainError, Refused) as error:
        _finish(replay_id, ReplayState.FAILED, error.message)
        return False
    if not ReplayResult.objects.filter(replay=replay).waiting().exists():
        _finish(replay_id, ReplayState.DONE)
        return False
    Replay.objects.filter(pk=replay_id).release(token=token)
    return again


def _replay_waiting(replay: Replay, process: ReplayProcess, token: str, deadline: float) -> bool:
    """Whether to go on at once: not when it is no longer ours, nor when nothing could be read."""
    advanced = False
    waiting = ReplayResult.objects.filter(replay=replay).waiting().order_by("id")
    for result in waiting.select_related("run__target").iterator(chunk_size=50):
        if time.monotonic() > deadline:
            return True
        if not _claim(replay.pk, token):
            return False
        outcome = replay_one(result.run, process)
        if outcome is None:
            continue
        _write(result, *outcome)
        advanced = True
    return advanced


def replay_one(run: JobRun, process: ReplayProcess) -> tuple[str, ReplayOutcome | str] | None:
    """The verdict on one run, with its outcome or why there is none; None when the archive or the
    engine is away and it has to be tried again."""
    try:
        document = temporal_history(run)
    except ExternalError as error:
        if error.retryable:
            log.warning("replay.history_away", run=run.pk, error=error.message)
            return None
        return ResultVerdict.NO_HISTORY, error.message
    except DomainError as error:
        return ResultVerdict.NO_HISTORY, error.message
    outcome = process.replay(run.external_id, document)
    return outcome.verdict.value, outcome


def _write(result: ReplayResult, verdict: str, outcome: ReplayOutcome | str) -> None:
    replayed = outcome if isinstance(outcome, ReplayOutcome) else None
    ReplayResult.objects.filter(pk=result.pk).update(
        verdict=verdict,
        event_id=replayed.event_id if replayed else 0,
        event_type=replayed.event_type if replayed else "",
        expected=replayed.expected if replayed else "",
        actual=replayed.actual if replayed else "",
        message=replayed.message if replayed else str(outcome),
        milliseconds=replayed.milliseconds if replayed else 0,
        at=timezone.now(),
    )


def _claim(replay_id: int, token: str) -> bool:
    now = timezone.now()
    rows = Replay.objects.unfinished().filter(pk=replay_id)
    return rows.claim(token=token, now=now, until=_claim_end(now))


def _claim_end(now: datetime) -> datetime:
    """Long enough for the longest single replay."""
    return now + timedelta(seconds=settings.CLAIM_SECONDS + 2 * settings.REPLAY_SECONDS)


def _finish(replay_id: int, state: ReplayState, message: str = "") -> None:
    Replay.objects.filter(pk=replay_id, finished_at=None).update(
        state=state, message=message, finished_at=timezone.now(), claim="", claimed_until=None
    )
