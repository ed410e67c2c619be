"""Carrying batches out, in chunks that another worker can take up after a crash."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from console.errors import ExternalError, NotFound, Refused
from observability.actions.adapters.registry import controls_for
from observability.actions.contracts import Answer, BatchProgress, BatchState
from observability.actions.models import (
    ItemStatus,
    Order,
    OrderItem,
    OrderStatus,
    Selection,
    count_outcome,
)
from observability.actions.ports import QueryBatches
from observability.actions.selectors.facts import ref_of
from observability.actions.services.notes import OUTCOMES, email_of, leave_note, said
from observability.actions.services.orders import LEASE, UNANSWERED, attempt, run_now, settle
from observability.jobs.models import JobRun
from tenants.contracts import TargetRef

CHUNK_SECONDS: Final = 30.0
"""How long one worker stays with a batch before others get their turn."""
LOOK_SECONDS: Final = 1.0
"""How often an engine's own batch is looked at."""
STARTED: Final = "batch"
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


def work(*, order_id: int, seconds: float = CHUNK_SECONDS) -> bool:
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
        if order.selection == Selection.QUERY:
            return _follow(order, token, deadline)
        return _go_on(order, token, deadline)
    finally:
        Order.objects.release(pk=order_id, token=token)


def _claim(order_id: int, token: str) -> bool:
    now = timezone.now()
    return Order.objects.claim(pk=order_id, token=token, now=now, until=now + LEASE)


# -- batches of ours ---------------------------------------------------------------------------


def _go_on(order: Order, token: str, deadline: float) -> bool:
    _give_up_lost_items(order)
    pace = _Pace(order.rate)
    while time.monotonic() < deadline:
        if not _claim(order.pk, token):
            return False
        if _stopping(order):
            _cancel_waiting(order)
        item = (
            OrderItem.objects.filter(order=order, status=ItemStatus.WAITING).order_by("id").first()
        )
        if item is None:
            _finish(order)
            return False
        pace.wait()
        _do(order, item)
    return True


def _do(order: Order, item: OrderItem) -> None:
    """One run of the batch: written down as tried, tried, written down as answered."""
    if not OrderItem.objects.start(pk=item.pk, now=timezone.now()):
        return
    run = run_now(item.run_id)
    deed = order.deed(email=email_of(order.user), uid=item.uid)
    status, answer = attempt(run, order.verb, deed)
    _settle_item(order, item, run, status=status, answer=answer)


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
        said(
            order,
            run=run,
            label=item.label,
            outcome=OUTCOMES[status],
            message=answer.message,
            now=now,
        ).save(force_insert=True)
        if run is not None:
            leave_note(order, run, status=status, message=answer.message, now=now)


def _give_up_lost_items(order: Order) -> None:
    """What a worker that died was just doing: nobody knows, and it is not tried again."""
    lost = OrderItem.objects.filter(order=order, status=ItemStatus.RUNNING)
    for item in lost.select_related("run__tenant", "run__target"):
        answer = Answer(f"The process ended before an answer came. {UNANSWERED}")
        _settle_item(order, item, item.run, status=OrderStatus.UNKNOWN, answer=answer)


def _stopping(order: Order) -> bool:
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


def _close(order: Order, *, done: int, bad: int, cancelled: int, note: str = "") -> None:
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
                message=f"{message} {note}".strip(),
                done=done,
                bad=bad,
                finished_at=now,
            )
        )
        if changed:
            said(order, outcome=OUTCOMES[status], message=message, now=now).save(force_insert=True)


# -- batches of the engine's own -------------------------------------------------------------------


def _follow(order: Order, token: str, deadline: float) -> bool:
    controls = controls_for(order.engine)
    if order.target is None or not isinstance(controls, QueryBatches):
        settle(order=order, run=None, status=OrderStatus.REFUSED, answer=Answer("No such target."))
        return False
    target = ref_of(order.target)
    if not order.result.get(STARTED) and not _started(order, controls, target):
        return False
    while _claim(order.pk, token):
        try:
            seen = controls.progress(target=target, batch=order.uid)
        except ExternalError as error:
            Order.objects.filter(pk=order.pk).update(message=error.message)
            return True  # it goes on there; the next tick looks again
        _show(order, seen)
        if seen.state is not BatchState.RUNNING:
            _end(order, seen)
            return False
        if _stopping(order) and not order.result.get("stopping"):
            _stop_there(order, controls, target)
        if time.monotonic() >= deadline:
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _started(order: Order, controls: QueryBatches, target: TargetRef) -> bool:
    """Starts the batch there, once. After a crash the server is asked whether it knows it."""
    if order.started_at is not None:
        return _is_known(order, controls, target)
    deed = order.deed(email=email_of(order.user))
    try:
        controls.start(target=target, query=order.query, deed=deed, rate=order.rate)
    except Refused as error:
        settle(order=order, run=None, status=OrderStatus.REFUSED, answer=Answer(error.message))
        return False
    except ExternalError as error:
        # Whether it runs is found out by the next look, as after a crash.
        Order.objects.filter(pk=order.pk).update(message=error.message)
        return False
    return _remember(order)


def _is_known(order: Order, controls: QueryBatches, target: TargetRef) -> bool:
    try:
        controls.progress(target=target, batch=order.uid)
    except NotFound:
        answer = Answer("It never began: the process ended, or the engine did not answer.")
        settle(order=order, run=None, status=OrderStatus.CANCELLED, answer=answer)
        return False
    except ExternalError as error:
        Order.objects.filter(pk=order.pk).update(message=error.message)
        return False  # the next tick asks again
    return _remember(order)


def _remember(order: Order) -> bool:
    order.result = {STARTED: order.uid}
    Order.objects.filter(pk=order.pk).update(result=order.result, message="")
    return True


def _show(order: Order, seen: BatchProgress) -> None:
    counts = {"done": seen.done, "bad": seen.failed}
    if seen.total:  # the server counts only after it has begun
        counts["total"] = seen.total
    Order.objects.filter(pk=order.pk).update(**counts)


def _stop_there(order: Order, controls: QueryBatches, target: TargetRef) -> None:
    try:
        controls.stop(target=target, batch=order.uid, deed=order.deed(email=email_of(order.user)))
    except ExternalError as error:
        Order.objects.filter(pk=order.pk).update(message=error.message)
        return
    order.result = {**order.result, "stopping": True}
    Order.objects.filter(pk=order.pk).update(result=order.result)


def _end(order: Order, seen: BatchProgress) -> None:
    order.refresh_from_db()
    stopped = order.stop_asked_at is not None
    if seen.state is BatchState.FAILED and not stopped and not seen.done:
        answer = Answer("The engine gave the batch up: it could not carry out the query.")
        settle(order=order, run=None, status=OrderStatus.FAILED, answer=answer)
        return
    _leave_notes(order, timezone.now())
    # A batch that was stopped may be told of with all counts at zero (seen on Temporal 1.32).
    done, bad = max(order.done, seen.done), max(order.bad, seen.failed)
    left = max(order.total, seen.total) - done - bad
    silent = stopped and not seen.total
    note = (
        "More may have been done: the engine keeps no count of what it stopped." if silent else ""
    )
    _close(order, done=done, bad=bad, cancelled=left if stopped else 0, note=note)


def _leave_notes(order: Order, now: datetime) -> None:
    """A note in the trail of every run that the dry count saw and that we know: the server keeps
    no trace of who it was."""
    for workflow, run_id in order.preview.get("executions", ()):
        run = JobRun.objects.filter(
            target=order.target, external_id=workflow, run_id=run_id
        ).first()
        if run is not None:
            message = "Part of a batch of the engine's own."
            leave_note(order, run, status=OrderStatus.DONE, message=message, now=now)
