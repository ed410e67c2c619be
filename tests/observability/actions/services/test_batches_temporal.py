"""Batches by visibility query, on a real server: counted, carried out, and the operator is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from temporalio.client import WorkflowHandle

from console.audit.models import Entry
from console.audit.services import Actor
from console.clients import pool
from console.errors import ExternalError
from observability.actions.models import Action, ActionStatus
from observability.actions.services.batch_worker import run_batch
from observability.actions.services.batches import ask_batch, stop
from observability.actions.services.previews import BatchCommand, preview_batch
from observability.engines.contracts import Status
from observability.jobs.models import JobEvent
from tests.observability.jobs.factories import make_run, make_target, make_tenant
from tests.observability.waiting_workflows import WorkflowWorker
from tests.waiting import until

pytestmark = [pytest.mark.temporal, pytest.mark.django_db]


@pytest.fixture(scope="module")
def worker(temporal_address: str) -> Iterator[WorkflowWorker]:
    client = pool.temporal(temporal_address)
    client.ensure_search_attributes({"TenantId": "Keyword"})
    made = WorkflowWorker(temporal_address)
    yield made
    made.stop()


@pytest.fixture
def workflows(worker: WorkflowWorker, temporal_address: str) -> list[WorkflowHandle[Any, Any]]:
    """Three of acme, one of globex; the namespace is the target `engine`."""
    make_target(endpoint=temporal_address)
    made = [worker.start_waiting(tenant=tenant) for tenant in ("acme", "acme", "acme", "globex")]
    query = f"TaskQueue='{worker.queue}' AND ExecutionStatus='Running'"
    until(lambda: preview_batch(command(query, "cancel"), now=timezone.now()).total >= 4)
    return made


def command(query: str, verb: str, **more: Any) -> BatchCommand:
    fields: dict[str, Any] = {
        "engine": "temporal",
        "verb": verb,
        "query": query,
        "target": "engine",
        "rate": 50,
    }
    return BatchCommand(**(fields | {"reason": "wrong price list"} | more))


def carried_out(action: Action) -> Action:
    """The action once its batch is over."""
    while run_batch(action_id=action.pk, seconds=5):  # clock: then again
        pass
    action.refresh_from_db()
    return action


def test_a_batch_by_query_keeps_the_operator_in_temporal_and_in_the_ledger(
    worker: WorkflowWorker,
    workflows: list[WorkflowHandle[Any, Any]],
    olga: Actor,
    enqueued: list[Any],
) -> None:
    first = workflows[0]
    known = make_run(
        make_target(),
        status=Status.RUNNING,
        tenant=make_tenant(),
        external_id=first.id,
        run_id=str(first.result_run_id),
    )
    query = f"TaskQueue='{worker.queue}' AND TenantId='acme' AND ExecutionStatus='Running'"
    preview = preview_batch(command(query, "terminate"), now=timezone.now())
    assert preview.tenants == {"acme": 3}
    assert {status for _, _, status, _ in preview.sample} == {"running"}
    action = carried_out(ask_batch(command=command(query, "terminate", confirm="3"), actor=olga))
    assert (action.status, action.done, action.bad) == (ActionStatus.DONE, 3, 0), action.message
    assert [worker.status(workflow) for workflow in workflows] == ["terminated"] * 3 + ["running"]
    ended = worker.events(first, "WORKFLOW_EXECUTION_TERMINATED")[0]
    there = ended.workflow_execution_terminated_event_attributes
    assert there.identity == "headroom:olga"
    assert "wrong price list (by olga through Headroom)" in there.reason
    entries = Entry.objects.order_by("id").values_list("action", "actor", "reason")
    assert list(entries) == [
        ("job.terminate.asked", "olga", "wrong price list"),
        *[("job.terminate", "olga", "wrong price list")] * 4,
    ]
    note = JobEvent.objects.get(run=known)
    assert (note.actor, note.title) == ("olga", "Terminate: done")
    known.refresh_from_db()
    assert known.history_due
    worker.run(workflows[3].terminate())


def test_signal_and_reset_by_query(
    worker: WorkflowWorker,
    workflows: list[WorkflowHandle[Any, Any]],
    olga: Actor,
    enqueued: list[Any],
) -> None:
    query = f"TaskQueue='{worker.queue}' AND TenantId='globex' AND ExecutionStatus='Running'"
    of_globex = workflows[3]
    reset = command(query, "reset", arguments={"point": "last"})
    action = carried_out(ask_batch(command=reset, actor=olga))
    assert (action.status, action.done) == (ActionStatus.DONE, 1)
    until(lambda: preview_batch(command(query, "signal", arguments={"name": "go"}),
                          now=timezone.now()).total == 1)  # fmt: skip
    signal = command(query, "signal", arguments={"name": "go", "input": "[1, 2]"})
    action = carried_out(ask_batch(command=signal, actor=olga))
    assert action.done == 1
    assert worker.run(worker.handle(of_globex.id, "").result()) == [1, 2]
    for workflow in workflows[:3]:
        worker.run(workflow.terminate())


def test_a_query_that_cannot_be_read_is_refused_before_anything_is_written(
    worker: WorkflowWorker,
    workflows: list[WorkflowHandle[Any, Any]],
    olga: Actor,
    enqueued: list[Any],
) -> None:
    with pytest.raises(ExternalError, match="query"):
        ask_batch(command=command("TenantId=acme", "cancel"), actor=olga)
    assert Action.objects.count() == Entry.objects.count() == 0
    for workflow in workflows:
        worker.run(workflow.terminate())


def test_a_slow_batch_shows_its_progress_and_can_be_stopped(
    worker: WorkflowWorker, temporal_address: str, olga: Actor, enqueued: list[Any]
) -> None:
    make_target(endpoint=temporal_address)
    many = [worker.start_waiting(tenant="initech") for _ in range(5)]
    query = f"TaskQueue='{worker.queue}' AND TenantId='initech' AND ExecutionStatus='Running'"
    until(lambda: preview_batch(command(query, "terminate"), now=timezone.now()).total == 5)
    slow = command(query, "terminate", rate=1, confirm="5", expected=5)
    action = ask_batch(command=slow, actor=olga)
    assert run_batch(action_id=action.pk, seconds=1.5)  # clock: of five, by its rate
    action.refresh_from_db()
    assert action.status == ActionStatus.RUNNING
    assert 1 <= action.done <= 3
    stop(action=action, actor=olga, reason="wrong query", now=timezone.now())
    action = carried_out(action)
    assert action.status == ActionStatus.CANCELLED, action.message
    left = [workflow for workflow in many if worker.status(workflow) == "running"]
    assert len(left) == 5 - action.done
    for workflow in left:
        worker.run(workflow.terminate())
