"""Activities that no workflow runs, on a real server, in the trail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.api.workflowservice.v1 import DeleteActivityExecutionRequest
from temporalio.client import Client
from temporalio.common import Priority, RetryPolicy, SearchAttributeKey, SearchAttributePair
from temporalio.common import TypedSearchAttributes as Typed
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from console.clients.temporal.client import TemporalClient
from console.errors import Conflict
from observability.engines.contracts import (
    JSON_DOCUMENT,
    Engine,
    EventKind,
    FailureKind,
    RunSnapshot,
    Status,
)
from observability.engines.temporal.controls import TemporalControls
from observability.engines.temporal.run_ids import is_standalone
from observability.engines.verbs import ActionRequest, RunFacts
from quotas.enforcement.adapters.temporal.compile import TENANT_RATE
from quotas.enforcement.adapters.temporal.observe import observe
from tenants.contracts import PlacementRef
from tests.observability.engines.temporal.memory_reader import Reading
from tests.observability.engines.temporal.odd_workflows import ENCODING, connect
from tests.temporal_queues import update_and_see
from tests.waiting import until

pytestmark = pytest.mark.temporal
MINUTE = timedelta(minutes=1)
QUICK = timedelta(milliseconds=50)
SOON = RetryPolicy(initial_interval=QUICK, backoff_coefficient=1.0, maximum_attempts=5)
ONCE = RetryPolicy(maximum_attempts=1)
HOURS = RetryPolicy(initial_interval=timedelta(hours=2))


@activity.defn
async def pay(good_from: int) -> Any:
    attempt = activity.info().attempt
    activity.heartbeat({"next": attempt, "total": 9})
    if attempt < good_from:
        raise ApplicationError(f"card declined, attempt {attempt}", type="PaymentError")
    return {"receipt": 2**70 + 1}


@activity.defn
async def hang(seconds: float) -> None:
    for _ in range(int(seconds * 20)):
        activity.heartbeat()
        await asyncio.sleep(0.05)  # clock: between heartbeats


def at_work(
    reading: Reading, act: Callable[[Client], Awaitable[Any]], *, worker: bool = True, **more: Any
) -> Any:
    async def go() -> Any:
        client = await connect(reading, **more)
        if not worker:
            return await act(client)
        async with Worker(
            client,
            task_queue="alone",
            activities=[pay, hang],
            max_heartbeat_throttle_interval=QUICK,
        ):
            return await act(client)

    return asyncio.run(go())


async def start(client: Client, call: Any, argument: Any, **more: Any) -> Any:
    more = {"start_to_close_timeout": MINUTE, "task_queue": "alone", **more}
    return await client.start_activity(call, argument, id=f"alone-{uuid4().hex[:8]}", **more)


async def finish(client: Client, call: Any, argument: Any, **more: Any) -> str:
    handle = await start(client, call, argument, **more)
    await asyncio.gather(handle.result(), return_exceptions=True)
    return str(handle.id)


def read(reading: Reading, name: str, good: Callable[[RunSnapshot], bool]) -> RunSnapshot:
    reading.until(lambda: any(good(run) for run in reading.rows.of(name)))
    (run,) = reading.rows.of(name)
    return run


def ended(run: RunSnapshot) -> bool:
    return run.closed_at is not None and not run.needs_history


def test_one_that_succeeds_after_a_failure_tells_its_attempts(reading: Reading) -> None:
    attributes = Typed([SearchAttributePair(SearchAttributeKey.for_keyword("TenantId"), "acme")])
    name = at_work(
        reading,
        lambda client: finish(
            client,
            pay,
            3,
            retry_policy=SOON,
            search_attributes=attributes,
            priority=Priority(fairness_key="acme"),
        ),
    )
    run = read(reading, name, ended)
    assert (run.status, run.type, run.queue) == (Status.SUCCEEDED, "pay", "alone")
    assert (run.tenant, run.fairness_key, run.attempts) == ("acme", "acme", 3)
    assert (run.failure, run.is_well) == ("", True)
    assert is_standalone(run.run_id)
    assert "@" in run.worker
    assert run.progress is not None
    assert (run.progress.done, run.progress.total) == (3, 9)
    story = reading.rows.story(run)
    kinds = [event.kind for event in story]
    assert kinds[:2] == [EventKind.CREATED, EventKind.SCHEDULED]
    assert kinds[-2:] == [EventKind.STEP_COMPLETED, EventKind.SUCCEEDED]
    failed = [event for event in story if event.kind is EventKind.ATTEMPT_FAILED]
    assert failed[-1].message == "PaymentError: card declined, attempt 2"
    assert failed[-1].attempt == 2
    assert story[-1].detail["result"] == [{"receipt": str(2**70 + 1)}]
    assert story[0].detail["input"] == [3]


def test_one_that_fails_says_why(reading: Reading) -> None:
    name = at_work(
        reading,
        lambda client: finish(client, pay, 9, retry_policy=ONCE),
        data_converter=ENCODING,
    )
    run = read(reading, name, ended)
    assert (run.status, run.attempts) == (Status.FAILED, 1)
    assert run.failure == "PaymentError: card declined, attempt 1"
    assert run.failure_kind is FailureKind.APPLICATION
    story = reading.rows.story(run)
    assert [event.kind for event in story[-2:]] == [EventKind.ATTEMPT_FAILED, EventKind.FAILED]
    assert "pay" in story[-2].detail["stack"]
    assert story[-2].detail["retry_state"] == "maximum_attempts_reached"
    history = reading.source.history(
        target=reading.target, run=reading.rows.ref((name, run.run_id)), after=0
    )
    assert (history.media, history.complete) == (JSON_DOCUMENT, True)
    assert b'"activityId"' in history.document


def test_one_that_hangs_times_out(reading: Reading) -> None:
    second = timedelta(seconds=1)  # clock: the shortest that the server takes well
    name = at_work(
        reading,
        lambda client: finish(client, hang, 30, start_to_close_timeout=second, retry_policy=ONCE),
    )
    run = read(reading, name, ended)
    assert (run.status, run.failure_kind) == (Status.TIMED_OUT, FailureKind.TIMEOUT)
    assert run.failure == "Start to close timeout"


def test_one_that_waits_for_its_next_attempt_is_retrying(reading: Reading) -> None:
    async def act(client: Client) -> str:
        handle = await start(client, pay, 9, retry_policy=HOURS)
        await asyncio.to_thread(read, reading, handle.id, lambda run: bool(run.failure))
        return str(handle.id)

    name = at_work(reading, act)
    (run,) = reading.rows.of(name)
    assert (run.status, run.is_well) == (Status.RUNNING, False)
    assert run.failure == "PaymentError: card declined, attempt 1"
    (retry,) = [event for event in reading.rows.story(run) if event.kind is EventKind.RETRY]
    assert retry.attempt == 2
    assert retry.detail["wait_seconds"] == pytest.approx(7200)


def test_one_that_nobody_takes_waits_and_a_start_delay_is_told(reading: Reading) -> None:
    async def act(client: Client) -> tuple[str, str]:
        waits = await start(client, pay, 1)
        delayed = await start(client, pay, 1, start_delay=timedelta(hours=2))
        return str(waits.id), str(delayed.id)

    waits, delayed = at_work(reading, act, worker=False)
    run = read(reading, waits, lambda run: run.status is Status.WAITING)
    assert (run.began_at, run.hold) == (None, None)
    run = read(reading, delayed, lambda run: run.status is Status.WAITING)
    assert run.hold is not None
    assert run.hold.reason == "start delay"
    assert run.hold.until is not None
    assert run.hold.until - run.created_at == pytest.approx(timedelta(hours=2), abs=MINUTE)


def facts(run: RunSnapshot) -> RunFacts:
    return RunFacts(
        *(1, Engine.TEMPORAL, "", run.external_id, run.run_id, run.location, run.type, run.status)
    )


def test_it_is_cancelled_and_terminated_by_who_asks_and_nothing_else(reading: Reading) -> None:
    controls = TemporalControls()

    def do(run: RunSnapshot, verb: str) -> None:
        request = ActionRequest(str(uuid4()), verb, {}, "it hangs", "olga")
        controls.perform(run=facts(run), target=reading.target, request=request)

    async def act(client: Client) -> list[str]:
        names = [(await start(client, hang, 60)).id for _ in range(2)]
        for name, verb in zip(names, ("cancel", "terminate"), strict=True):
            run = await asyncio.to_thread(read, reading, name, lambda run: run.began_at is not None)
            await asyncio.to_thread(do, run, verb)
            await asyncio.to_thread(read, reading, name, ended)
        return names

    cancelled, terminated = (reading.rows.of(name)[0] for name in at_work(reading, act))
    assert (cancelled.status, cancelled.failure) == (Status.CANCELLED, "")
    assert terminated.status is Status.TERMINATED
    assert terminated.failure == "it hangs (by olga through Headroom)"
    assert reading.rows.story(terminated)[-1].actor == "headroom:olga"
    with pytest.raises(Conflict):
        do(terminated, "terminate")
    offered = {
        offer.verb.name for offer in controls.verbs(run=facts(cancelled), target=reading.target)
        if not offer.hidden
    }  # fmt: skip
    assert offered == {"cancel", "terminate"}


def test_one_that_is_gone_is_told_as_deleted(reading: Reading) -> None:
    async def act(client: Client) -> str:
        handle = await start(client, pay, 1)
        await asyncio.to_thread(read, reading, handle.id, lambda run: not run.needs_history)
        await client.workflow_service.delete_activity_execution(_delete(client, handle.id))
        return str(handle.id)

    name = at_work(reading, act, worker=False)
    run = read(reading, name, lambda run: run.closed_at is not None)
    assert run.status is Status.DELETED


def _delete(client: Client, name: str) -> Any:
    return DeleteActivityExecutionRequest(namespace=client.namespace, activity_id=name)


def test_it_counts_against_the_rate_of_its_queue(reading: Reading, temporal_address: str) -> None:
    """Its tasks are tasks of the queue, whose limit holds them and whose use counts them."""
    client = TemporalClient(temporal_address, str(reading.target.options["namespace"]))
    update_and_see(client, "alone", queue_rate=1000, reason="test", identity="headroom:test")

    async def act(temporal: Client) -> None:
        for _ in range(12):
            await start(temporal, pay, 1)
        await asyncio.to_thread(
            until,
            lambda: client.queue_stats("alone").rate_limiting_active,
            "the rate never held a standalone activity back",
        )

    at_work(reading, act)
    placement = PlacementRef(1, "acme", "lab", "temporal", "alone")
    observed = observe(client, [placement], everything=False, concurrency=1).placements[1]
    used = {usage.key: usage.used for usage in observed.usage}
    assert used[TENANT_RATE]
