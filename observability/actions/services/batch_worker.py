"""The worker of batches: carries them out in chunks, which another can take up after a crash."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.utils import timezone

from observability.actions.models import (
    Action,
    ActionItem,
    ActionStatus,
    ItemStatus,
    RunSelection,
    count_outcome,
)
from observability.actions.services.actions import LEASE, UNANSWERED, attempt, perform, reload_run
from observability.actions.services.records import (
    OUTCOMES,
    email_of,
    ledger_entry,
    record_in_trail,
)
from observability.engines.contracts import Engine, Status
from observability.engines.verbs import Answer, RunFacts
from observability.jobs.models import JobRun

CHUNK_SECONDS: Final = 30.0
"""How long one worker stays with a batch before others get their turn."""
_ITEM_STATUS: Final[Mapping[str, str]] = {
    ActionStatus.DONE: ItemStatus.DONE,
    ActionStatus.REFUSED: ItemStatus.REFUSED,
    ActionStatus.FAILED: ItemStatus.FAILED,
    ActionStatus.UNKNOWN: ItemStatus.UNKNOWN,
}


@dataclass(slots=True)
class _Pace:
    """Keeps operations apart so that there are at most `rate` a second."""

    rate: int
    free_at: float = 0.0

    def wait(self) -> None:
        """Sleeps until the next operation may begin."""
        now = time.monotonic()
        if self.free_at > now:
            time.sleep(self.free_at - now)
        self.free_at = max(now, self.free_at) + 1 / max(self.rate, 1)


def run_batch(*, action_id: int, seconds: float = CHUNK_SECONDS) -> bool:
    """Goes on with a batch for about `seconds`; True while there is more to do. One worker at a
    time: somebody else's batch is left alone."""
    token = uuid.uuid4().hex
    if not _claim(action_id, token):
        return False
    action = Action.objects.select_related("target", "user", "tenant").get(pk=action_id)
    try:
        now = timezone.now()
        Action.objects.start(pk=action_id, now=now, until=now + LEASE)
        deadline = time.monotonic() + seconds
        return _run_chunk(action, token, deadline)
    finally:
        Action.objects.filter(pk=action_id).release(token=token)


def _claim(action_id: int, token: str) -> bool:
    now = timezone.now()
    rows = Action.objects.open().filter(pk=action_id)
    return rows.claim(token=token, now=now, until=now + LEASE)


def _run_chunk(action: Action, token: str, deadline: float) -> bool:
    _settle_abandoned_items(action)
    pace = _Pace(action.rate)
    while True:
        if not _claim(action.pk, token):
            return False
        if _is_stopping(action):
            _cancel_waiting(action)
        waiting = ActionItem.objects.filter(action=action, status=ItemStatus.WAITING)
        item = waiting.order_by("id").first()
        if item is None:
            _finish(action)
            return False
        pace.wait()
        _run_item(action, item)
        # Looked at behind the work: however slow the machine, each turn gets somewhere.
        if time.monotonic() >= deadline:
            return True


def _run_item(action: Action, item: ActionItem) -> None:
    """One run of the batch: written down as tried, tried, written down as answered."""
    if not ActionItem.objects.start(pk=item.pk, now=timezone.now()):
        return
    run = reload_run(item.run_id)
    request = action.request(email=email_of(action.user), uid=item.uid)
    if action.target is not None and action.selection == RunSelection.QUERY:
        # The engine found it a moment ago, and may know more of it than we do.
        status, answer = perform(_facts(action, item), action.target, request)
    else:
        status, answer = attempt(run, action.verb, request)
    _settle_item(action, item, run, status=status, answer=answer)


def _facts(action: Action, item: ActionItem) -> RunFacts:
    """What the engine needs to find a run that need not be known here."""
    return RunFacts(
        id=item.run_id or 0,
        engine=Engine(action.engine),
        key="",
        external_id=item.label,
        run_id=item.execution,
        location="",
        type="",
        status=Status.RUNNING,
    )


def _settle_item(
    action: Action, item: ActionItem, run: JobRun | None, *, status: str, answer: Answer
) -> None:
    now = timezone.now()
    with transaction.atomic():
        if not ActionItem.objects.settle(
            pk=item.pk,
            status=_ITEM_STATUS[status],
            message=answer.message,
            result=dict(answer.result),
            now=now,
        ):
            return
        count_outcome(action.pk, good=status == ActionStatus.DONE)
        ledger_entry(
            action,
            run=run,
            label=item.label,
            outcome=OUTCOMES[status],
            message=answer.message,
            now=now,
        ).save(force_insert=True)
        if run is not None:
            record_in_trail(action, run, status=status, message=answer.message, now=now)


def _settle_abandoned_items(action: Action) -> None:
    """What a worker that died was just doing: nobody knows, and it is not tried again."""
    lost = ActionItem.objects.filter(action=action, status=ItemStatus.RUNNING)
    for item in lost.select_related("run__tenant", "run__target"):
        answer = Answer(f"The process ended before an answer came. {UNANSWERED}")
        _settle_item(action, item, item.run, status=ActionStatus.UNKNOWN, answer=answer)


def _is_stopping(action: Action) -> bool:
    return Action.objects.filter(pk=action.pk, stop_asked_at__isnull=False).exists()


def _cancel_waiting(action: Action) -> None:
    ActionItem.objects.filter(action=action, status=ItemStatus.WAITING).update(
        status=ItemStatus.CANCELLED, message="Stopped before its turn.", finished_at=timezone.now()
    )


def _finish(action: Action) -> None:
    """Every run has its outcome: so has the action."""
    action.refresh_from_db()
    cancelled = ActionItem.objects.filter(action=action, status=ItemStatus.CANCELLED).count()
    _close(action, done=action.done, bad=action.bad, cancelled=cancelled)


def _close(action: Action, *, done: int, bad: int, cancelled: int) -> None:
    parts = [f"{done} done", f"{bad} not done" if bad else ""]
    parts.append(f"{cancelled} not tried: stopped by {action.stop_asked_by}" if cancelled else "")
    message = ", ".join(part for part in parts if part) + "."
    status = ActionStatus.DONE if done or not bad else ActionStatus.FAILED
    if cancelled:
        status = ActionStatus.CANCELLED
    now = timezone.now()
    with transaction.atomic():
        changed = (
            Action.objects.open()
            .filter(pk=action.pk)
            .update(
                status=status,
                message=message,
                done=done,
                bad=bad,
                finished_at=now,
            )
        )
        if changed:
            ledger_entry(action, outcome=OUTCOMES[status], message=message, now=now).save(
                force_insert=True
            )
