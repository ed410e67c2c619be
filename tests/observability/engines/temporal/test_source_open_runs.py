"""Runs that have not ended: what can be told of them while they are at work."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    PauseActivityRequest,
    ResetActivityRequest,
)
from temporalio.client import Client

from console.clients.temporal.fairness import PROBE_TYPE
from console.errors import NotFound
from deploy.demo.workloads.temporal_endings import ApprovalFlow, Order
from observability.engines.contracts import EventKind, RunEvent, Status
from tenants.adapters.temporal import client_for
from tests.observability.engines.temporal.memory_reader import Reading
from tests.observability.engines.temporal.odd_workflows import at_work, begin
from tests.observability.engines.temporal.start_workflows import start, with_worker, without_worker
from tests.waiting import PATIENCE

pytestmark = pytest.mark.temporal


def requests(reading: Reading) -> int:
    return client_for(reading.target).counter.reads


def test_a_run_that_nobody_takes_up_is_waiting(reading: Reading) -> None:
    handle = without_worker(reading, lambda client: start(client, "ApprovalFlow", Order("a", 1)))
    reading.until(lambda: bool(reading.rows.of(handle.id)))
    run = reading.rows.of(handle.id)[0]
    assert (run.status, run.began_at) == (Status.WAITING, None)


def test_our_own_probes_are_nobodys_jobs(reading: Reading) -> None:
    async def both(client: Client) -> tuple[str, str]:
        probe = await start(client, PROBE_TYPE)
        job = await start(client, "ApprovalFlow", Order("a", 1))
        return str(probe.id), str(job.id)

    probe, job = without_worker(reading, both)
    reading.until(lambda: bool(reading.rows.of(job)))
    assert reading.rows.of(probe) == []


def test_progress_is_told_while_an_activity_heartbeats(reading: Reading) -> None:
    async def act(client: Client) -> str:
        handle = await start(client, "ImportFlow", 8, False)
        await asyncio.to_thread(reading.until, lambda: _checkpoints(reading, handle.id) >= 2)
        await handle.result()
        return str(handle.id)

    name = with_worker(reading, act)
    reading.until(lambda: reading.rows.of(name)[0].status is Status.SUCCEEDED)
    run = reading.rows.of(name)[0]
    story = reading.rows.story(run)
    checkpoints = [event for event in story if event.kind is EventKind.CHECKPOINT]
    assert all(event.detail["total"] == 8 and event.step == "activity-5" for event in checkpoints)
    done = [event.detail["done"] for event in checkpoints]
    assert len(set(done)) == len(done)
    started = [event for event in story if event.kind is EventKind.ATTEMPT_STARTED]
    assert [event.attempt for event in started] == [1, 2]
    lost = [event for event in story if event.kind is EventKind.ATTEMPT_TIMED_OUT]
    assert [event.attempt for event in lost] == [1]


def _checkpoints(reading: Reading, name: str) -> int:
    runs = reading.rows.of(name)
    if not runs:
        return 0
    assert runs[0].progress is None or runs[0].progress.total == 8
    return sum(event.kind is EventKind.CHECKPOINT for event in reading.rows.story(runs[0]))


def test_a_retry_to_come_is_told_with_its_time_and_the_last_failure(reading: Reading) -> None:
    async def act(client: Client) -> str:
        handle = await start(client, "LetterFlow", Order("acme", 3))
        await asyncio.to_thread(reading.until, lambda: _retries(reading, handle.id))
        return str(handle.id)

    name = with_worker(reading, act)
    story = reading.rows.story(reading.rows.of(name)[0])
    retry = next(event for event in story if event.kind is EventKind.RETRY)
    assert retry.attempt >= 2
    assert retry.detail["maximum_attempts"] == 3
    failed = next(event for event in story if event.kind is EventKind.ATTEMPT_FAILED)
    assert failed.message == "NoAddress: no postal address for order 3"
    assert "send_letter" in failed.detail["stack"]


def _retries(reading: Reading, name: str) -> bool:
    runs = reading.rows.of(name)
    return bool(runs) and any(
        event.kind is EventKind.RETRY for event in reading.rows.story(runs[0])
    )


def test_a_paused_activity_is_told_with_who_and_why(reading: Reading) -> None:
    async def act(client: Client) -> str:
        handle = await start(client, "ImportFlow", 40, False)
        await asyncio.to_thread(reading.until, lambda: _checkpoints_of(reading, handle.id))
        await client.workflow_service.pause_activity(
            PauseActivityRequest(
                namespace=client.namespace,
                execution=WorkflowExecution(workflow_id=handle.id),
                identity="alice",
                id="1",
                reason="the table is locked",
            )
        )
        await asyncio.to_thread(reading.until, lambda: _paused(reading, handle.id) is not None)
        await handle.terminate(reason="done with it")
        return str(handle.id)

    name = with_worker(reading, act)
    paused = _paused(reading, name)
    assert paused is not None
    assert (paused.actor, paused.message) == ("alice", "the table is locked")


def _checkpoints_of(reading: Reading, name: str) -> bool:
    runs = reading.rows.of(name)
    return bool(runs) and any(
        event.kind is EventKind.CHECKPOINT for event in reading.rows.story(runs[0])
    )


def _paused(reading: Reading, name: str) -> Any:
    story = reading.rows.story(reading.rows.of(name)[0])
    return next((event for event in story if event.kind is EventKind.PAUSED), None)


def test_attempts_after_a_reset_are_told_beside_those_before_it(reading: Reading) -> None:
    async def act(client: Client) -> str:
        name = await begin(client, "keeps failing")
        await asyncio.to_thread(reading.until, lambda: len(_failed(reading, name)) >= 2)
        await client.workflow_service.reset_activity(
            ResetActivityRequest(
                namespace=client.namespace,
                execution=WorkflowExecution(workflow_id=name),
                id="1",
            )
        )
        await asyncio.to_thread(
            reading.until, lambda: [event.attempt for event in _failed(reading, name)].count(1) == 2
        )
        await client.get_workflow_handle(name).terminate()
        return name

    name = at_work(reading, act)
    failed = _failed(reading, name)
    assert sorted(failed, key=lambda event: event.at) == failed
    assert len({event.at for event in failed}) == len(failed)


def _failed(reading: Reading, name: str) -> list[RunEvent]:
    """The failed attempts of a run, in the order in which they are told."""
    return [
        event
        for run in reading.rows.of(name)
        for event in reading.rows.story(run)
        if event.kind is EventKind.ATTEMPT_FAILED
    ]


def test_what_is_new_of_a_long_history_costs_no_more_than_its_end(reading: Reading) -> None:
    async def signal(client: Client, times: int) -> str:
        handle = client.get_workflow_handle("long")
        for number in range(times):
            await handle.signal(ApprovalFlow.release, f"note {number}")
        return str(handle.id)

    without_worker(reading, lambda client: start(client, "ApprovalFlow", Order("a", 1), id="long"))
    without_worker(reading, lambda client: signal(client, 900))
    reading.until(lambda: bool(reading.rows.of("long")))
    run = reading.rows.of("long")[0]
    name = (run.external_id, run.run_id)
    # Two events begin it, and since nobody takes it up, signals are all that follows.
    assert reading.rows.through(name) == 902
    without_worker(reading, lambda client: signal(client, 5))
    before = requests(reading)
    history = reading.fetch(name)
    assert [event.seq for event in history.events] == [903, 904, 905, 906, 907]
    # A description, and one or two pages of the end: that may hold who worked on it before.
    assert requests(reading) - before <= 3
    assert history.document == b""


def test_an_open_run_that_is_deleted_is_told_as_vanished(reading: Reading) -> None:
    handle = without_worker(reading, lambda client: start(client, "ApprovalFlow", Order("a", 1)))
    reading.until(lambda: bool(reading.rows.of(handle.id)))

    async def delete(client: Client) -> None:
        await client.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=handle.id),
            )
        )

    without_worker(reading, delete)
    reading.until(lambda: reading.rows.of(handle.id)[0].status is Status.DELETED)
    run = reading.rows.of(handle.id)[0]
    assert run.closed_at is not None
    assert run.type == "ApprovalFlow"
    with pytest.raises(NotFound):
        reading.fetch((run.external_id, run.run_id))


def test_nothing_is_read_again_when_nothing_changed(reading: Reading) -> None:
    async def two(client: Client) -> None:
        await start(client, "ApprovalFlow", Order("a", 1), id="open")
        handle = await start(client, "ApprovalFlow", Order("a", 2), id="closed")
        await handle.terminate(reason="over")

    without_worker(reading, two)
    reading.until(lambda: len(reading.rows.runs) == 2)
    reading.catch_up()
    pages = list(reading.pages())
    assert [run for page in pages for run in page.runs] == []
    assert pages[-1].caught_up
    through = pages[-1].through
    assert through is not None
    assert 0 < (datetime.now(UTC) - through).total_seconds() < PATIENCE


def test_a_quiet_stream_is_watched_for_as_long_as_was_asked(reading: Reading) -> None:
    pages = reading.pages(wait=PATIENCE)
    count = 0
    for page in pages:
        reading.rows.store(page)
        count += 1
        if count == 1:
            without_worker(
                reading, lambda client: start(client, "ApprovalFlow", Order("a", 1), id="late")
            )
        if count >= 3 and reading.rows.runs:
            break
    assert list(reading.pages(wait=1.0))  # clock: it ends by itself
    assert [run.external_id for run in reading.rows.runs.values()] == ["late"]
    assert count >= 3
