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
    ItemStatus,
    Order,
    OrderItem,
    OrderStatus,
    RunSelection,
    count_outcome,
)
from observability.actions.services.orders import LEASE, UNANSWERED, attempt, perform, reload_run
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
    OrderStatus.DONE: ItemStatus.DONE,
    OrderStatus.REFUSED: ItemStatus.REFUSED,
    OrderStatus.FAILED: ItemStatus.FAILED,
    OrderStatus.UNKNOWN: ItemStatus.UNKNOWN,
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


def run_batch(*, order_id: int, seconds: float = CHUNK_SECONDS) -> bool:
    """Goes on with a batch for about `seconds`; True while there is more to do. One worker at a
    time: somebody else's batch is left alone."""
    token = uuid.uuid4().hex
    if not _claim(order_id, token):
        return False
    order = Order.objects.select_related("target", "user", "tenant").get(pk=order_id)
    try:
        now = timezone.now()
        Order.objects.start(pk=order_id, now=now, until=now + LEASE)
        deadline = time.monotonic() + seconds
        return _run_chunk(order, token, deadline)
    finally:
        Order.objects.filter(pk=order_id).release(token=token)


def _claim(order_id: int, token: str) -> bool:
    now = timezone.now()
    rows = Order.objects.open().filter(pk=order_id)
    return rows.claim(token=token, now=now, until=now + LEASE)


def _run_chunk(order: Order, token: str, deadline: float) -> bool:
    _settle_abandoned_items(order)
    pace = _Pace(order.rate)
    while True:
        if not _claim(order.pk, token):
            return False
        if _is_stopping(order):
            _cancel_waiting(order)
        item = (
            OrderItem.objects.filter(order=order, status=ItemStatus.WAITING).order_by("id").first()
        )
        if item is None:
            _finish(order)
            return False
        pace.wait()
        _run_item(order, item)
        # Looked at behind the work: however slow the machine, each turn gets somewhere.
        if time.monotonic() >= deadline:
            return True


def _run_item(order: Order, item: OrderItem) -> None:
    """One run of the batch: written down as tried, tried, written down as answered."""
    if not OrderItem.objects.start(pk=item.pk, now=timezone.now()):
        return
    run = reload_run(item.run_id)
    request = order.request(email=email_of(order.user), uid=item.uid)
    if order.target is not None and order.selection == RunSelection.QUERY:
        # The engine found it a moment ago, and may know more of it than we do.
        status, answer = perform(_facts(order, item), order.target, request)
    else:
        status, answer = attempt(run, order.verb, request)
    _settle_item(order, item, run, status=status, answer=answer)


def _facts(order: Order, item: OrderItem) -> RunFacts:
    """What the engine needs to find a run that need not be known here."""
    return RunFacts(
        id=item.run_id or 0,
        engine=Engine(order.engine),
        key="",
        external_id=item.label,
        run_id=item.execution,
        location="",
        type="",
        status=Status.RUNNING,
    )


def _settle_item(
    order: Order, item: OrderItem, run: JobRun | None, *, status: str, answer: Answer
) -> None:
    now = timezone.now()
    with transaction.atomic():
        if not OrderItem.objects.settle(
            pk=item.pk,
            status=_ITEM_STATUS[status],
            message=answer.message,
            result=dict(answer.result),
            now=now,
        ):
            return
        count_outcome(order.pk, good=status == OrderStatus.DONE)
        ledger_entry(
            order,
            run=run,
            label=item.label,
            outcome=OUTCOMES[status],
            message=answer.message,
            now=now,
        ).save(force_insert=True)
        if run is not None:
            record_in_trail(order, run, status=status, message=answer.message, now=now)


def _settle_abandoned_items(order: Order) -> None:
    """What a worker that died was just doing: nobody knows, and it is not tried again."""
    lost = OrderItem.objects.filter(order=order, status=ItemStatus.RUNNING)
    for item in lost.select_related("run__tenant", "run__target"):
        answer = Answer(f"The process ended before an answer came. {UNANSWERED}")
        _settle_item(order, item, item.run, status=OrderStatus.UNKNOWN, answer=answer)


def _is_stopping(order: Order) -> bool:
    return Order.objects.filter(pk=order.pk, stop_asked_at__isnull=False).exists()


def _cancel_waiting(order: Order) -> None:
    OrderItem.objects.filter(order=order, status=ItemStatus.WAITING).update(
        status=ItemStatus.CANCELLED, message="Stopped before its turn.", finished_at=timezone.now()
    )


def _finish(order: Order) -> None:
    """Every run has its outcome: so has the order."""
    order.refresh_from_db()
    cancelled = OrderItem.objects.filter(order=order, status=ItemStatus.CANCELLED).count()
    _close(order, done=order.done, bad=order.bad, cancelled=cancelled)


def _close(order: Order, *, done: int, bad: int, cancelled: int) -> None:
    parts = [f"{done} done", f"{bad} not done" if bad else ""]
    parts.append(f"{cancelled} not tried: stopped by {order.stop_asked_by}" if cancelled else "")
    message = ", ".join(part for part in parts if part) + "."
    status = OrderStatus.DONE if done or not bad else OrderStatus.FAILED
    if cancelled:
        status = OrderStatus.CANCELLED
    now = timezone.now()
    with transaction.atomic():
        changed = (
            Order.objects.open()
            .filter(pk=order.pk)
            .update(
                status=status,
                message=message,
                done=done,
                bad=bad,
                finished_at=now,
            )
        )
        if changed:
            ledger_entry(order, outcome=OUTCOMES[status], message=message, now=now).save(
                force_insert=True
            )
