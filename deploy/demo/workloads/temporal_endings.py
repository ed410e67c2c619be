"""Workflows that end in every way there is, so that a trail of each can be looked at.

A worker for them is `Worker(client, task_queue=…, workflows=workflows(), activities=activities())`;
`start_all` starts one of each and does to them what has to be done. Nothing here is an example of
how to write workflows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

SOON = timedelta(seconds=30)
QUICK = RetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    maximum_interval=timedelta(milliseconds=400),
    maximum_attempts=3,
)
LARGEST = 1_900_000
"""Bytes of one payload; the server refuses more than two million."""


@dataclass(frozen=True)
class Order:
    """What most of these workflows are about. `token` is a secret that a trail has to mask."""

    tenant: str
    number: int
    token: str = "sk-example-000000000000"  # noqa: S105  # an example of what is to be masked


@activity.defn
async def charge_card(order: Order) -> str:
    """Works."""
    return f"charged {order.number}"


@activity.defn
async def send_letter(order: Order) -> str:
    """Never works."""
    raise ApplicationError(
        f"no postal address for order {order.number}", {"order": order.number}, type="NoAddress"
    )


@activity.defn
async def count_lines(total: int) -> int:
    """Counts with a checkpoint at each line; the first attempt loses its worker half-way."""
    details = activity.info().heartbeat_details
    begin = int(details[0]["next"]) if details else 0
    for line in range(begin, total):
        activity.heartbeat({"next": line, "total": total})
        await asyncio.sleep(0.3)
        if activity.info().attempt == 1 and line >= total // 2:
            # As a worker that hangs: the server hears nothing more of this attempt.
            await asyncio.sleep(30)
    return total


@activity.defn
async def dig(depth: int) -> int:
    """Fails with a cause below the failure that is seen."""
    try:
        raise ValueError(f"row {depth} has no amount")
    except ValueError as problem:
        raise ApplicationError("import failed", non_retryable=True, type="Import") from problem


@activity.defn
async def weigh(size: int) -> str:
    """Answers with as much as a payload may hold."""
    return "x" * size


@activity.defn
async def look_up(name: str) -> str:
    """Quick enough to run inside the workflow's worker."""
    return name.upper()


@workflow.defn
class InvoiceFlow:
    """Ends well: a local activity, an activity, a timer, another activity."""

    @workflow.run
    async def run(self, order: Order) -> str:
        """Returns what the last activity said."""
        await workflow.execute_local_activity(
            look_up, order.tenant, start_to_close_timeout=SOON, retry_policy=QUICK
        )
        await workflow.execute_activity(charge_card, order, start_to_close_timeout=SOON)
        await asyncio.sleep(0.2)
        return await workflow.execute_activity(
            charge_card, order, start_to_close_timeout=SOON, summary="the second charge"
        )


@workflow.defn
class LetterFlow:
    """Fails after the retries of its activity."""

    @workflow.run
    async def run(self, order: Order) -> str:
        """Never returns."""
        return await workflow.execute_activity(
            send_letter, order, start_to_close_timeout=SOON, retry_policy=QUICK
        )


@workflow.defn
class ImportFlow:
    """Counts lines with checkpoints and, told to, fails with a cause."""

    @workflow.run
    async def run(self, total: int, fails: bool) -> int:  # noqa: FBT001  # a payload has no names
        """Returns the number of lines."""
        if fails:
            return await workflow.execute_activity(dig, total, start_to_close_timeout=SOON)
        return await workflow.execute_activity(
            count_lines,
            total,
            start_to_close_timeout=timedelta(minutes=2),
            heartbeat_timeout=timedelta(seconds=4),
            retry_policy=QUICK,
        )


@workflow.defn
class ApprovalFlow:
    """Waits until it is released: by a signal, an update, a cancellation, or somebody's kill."""

    def __init__(self) -> None:
        self._released = False
        self._notes: list[str] = []

    @workflow.run
    async def run(self, order: Order) -> list[str]:
        """Returns what it was told."""
        await workflow.wait_condition(lambda: self._released)
        self._notes.append(f"order {order.number}")
        return self._notes

    @workflow.signal
    def release(self, note: str) -> None:
        """Lets it go on."""
        self._notes.append(note)
        self._released = True

    @workflow.update
    async def approve(self, by: str) -> str:
        """Takes note of an approval."""
        self._notes.append(by)
        return f"approved by {by}"

    @approve.validator
    def _approver_is_named(self, by: str) -> None:
        if not by:
            raise ApplicationError("an approval needs a name")


@workflow.defn
class PollFlow:
    """Continues as new."""

    @workflow.run
    async def run(self, left: int) -> int:
        """Returns 0, in the last of `left` runs."""
        if left > 0:
            workflow.continue_as_new(left - 1)
        return left


@workflow.defn
class FamilyFlow:
    """Has a child that ends well and one that does not."""

    @workflow.run
    async def run(self, order: Order) -> str:
        """Returns what the first child said."""
        own = workflow.info().workflow_id
        invoice = await workflow.execute_child_workflow(InvoiceFlow.run, order, id=f"{own}-invoice")
        await workflow.execute_child_workflow(LetterFlow.run, order, id=f"{own}-letter")
        return invoice


@workflow.defn
class SlowFlow:
    """Sleeps longer than it may."""

    @workflow.run
    async def run(self) -> None:
        """Never returns."""
        await asyncio.sleep(3600)


@workflow.defn
class HaulFlow:
    """Carries payloads as large as they may be, `times` of them."""

    @workflow.run
    async def run(self, times: int) -> int:
        """Returns how many characters came."""
        sizes = [
            await workflow.execute_activity(weigh, LARGEST, start_to_close_timeout=SOON)
            for _ in range(times)
        ]
        return sum(len(payload) for payload in sizes)


@workflow.defn(name="ShiftingFlow")
class ShiftingFlowBefore:
    """The first version: a timer comes first."""

    @workflow.run
    async def run(self, order: Order) -> str:
        """Returns what the activity said."""
        await asyncio.sleep(2)
        return await workflow.execute_activity(charge_card, order, start_to_close_timeout=SOON)


@workflow.defn(name="ShiftingFlow")
class ShiftingFlowAfter:
    """The second version has no timer: runs of the first one do not fit it."""

    @workflow.run
    async def run(self, order: Order) -> str:
        """Returns what the activity said."""
        return await workflow.execute_activity(charge_card, order, start_to_close_timeout=SOON)


def workflows() -> list[type[Any]]:
    """All but those of which there are two versions."""
    return [
        InvoiceFlow,
        LetterFlow,
        ImportFlow,
        ApprovalFlow,
        PollFlow,
        FamilyFlow,
        SlowFlow,
        HaulFlow,
    ]


def activities() -> list[Any]:
    """Every activity."""
    return [charge_card, send_letter, count_lines, dig, weigh, look_up]
