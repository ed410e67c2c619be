"""Temporal, on the real dev server: limits are kept, stop and go really stop and go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from uuid import uuid4

import pytest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest

from console.clients import pool
from console.clients.temporal.client import TemporalClient
from console.clients.temporal.connection import UNDECODABLE
from console.errors import Refused
from quotas.enforcement.adapters.temporal import apply
from quotas.enforcement.ports import ApplyResult, Operation, PlacementChanges
from tenants.contracts import PlacementRef, TargetRef
from tests import servers
from tests.contract.activity_worker import COUNTS, ActivityWorker, ran
from tests.contract.adapter_harness import Plane, limits
from tests.raw_grpc import Refusal, field, number_field, raw_call
from tests.temporal_queues import update_and_see
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.temporal
numbers = count(1)
SHARED = f"shared-{uuid4().hex[:6]}"
DEDICATED = f"own-{uuid4().hex[:6]}"
BULK = f"bulk-{uuid4().hex[:6]}"


@pytest.fixture(scope="module", autouse=True)
def patient() -> Iterator[None]:
    """The adapter waits until what it wrote is seen, however slow the machine is: what the tests
    find right after it has to be that."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(apply, "PATIENCE", PATIENCE)
        yield


@pytest.fixture(scope="module")
def plane(temporal_address: str) -> Plane:
    """A probed and prepared target with two shared queues, base rates 5/s and 1/s."""
    queues = {SHARED: {"base_rate": 5_000, "queue_rate": None}, BULK: {"base_rate": 1_000}}
    target = TargetRef(2, "jobs", "temporal", temporal_address, "", options={"queues": queues})
    made = Plane(target)
    health = made.adapter.probe(target=target)
    assert health.features["fairness"] is True
    assert health.missing == ()
    assert made.adapter.prepare(target=target) > 0
    assert made.adapter.prepare(target=target) == 0
    return Plane(replace(target, features=health.features))


@pytest.fixture(scope="module")
def worker(temporal_address: str) -> Iterator[ActivityWorker]:
    running = ActivityWorker(temporal_address, (SHARED, DEDICATED))
    yield running
    running.stop()


def client_of(plane: Plane) -> TemporalClient:
    """Somebody else with the Temporal CLI."""
    return pool.temporal(plane.target.endpoint)


def own_queue(name: str = "") -> PlacementRef:
    """A placement on a queue of its own."""
    name = name or f"own-{uuid4().hex[:8]}"
    return PlacementRef(next(numbers), "acme", "jobs", "temporal", name)


def share(key: str, queue: str = SHARED) -> PlacementRef:
    """A placement on a shared queue."""
    return PlacementRef(next(numbers), key, "jobs", "temporal", queue, "shared", key)


def poll_strangely(plane: Plane, queue: str) -> None:
    """A worker asks for a task, and says of itself what no client can decode."""
    request = PollActivityTaskQueueRequest(
        namespace="default", task_queue=TaskQueue(name=queue), identity="strange"
    )
    number = PollActivityTaskQueueRequest.DESCRIPTOR.fields_by_name["deployment_options"].number
    raw = request.SerializeToString() + field(number, number_field(1, 5))
    with suppress(Refusal):  # there is no task
        raw_call(plane.target.endpoint, "WorkflowService/PollActivityTaskQueue", raw)


def test_a_worker_that_cannot_be_decoded_takes_its_queue_from_no_limit(plane: Plane) -> None:
    strange, neighbour = own_queue(), own_queue()
    plane.settle(limits({"temporal.queue_rate": 20_000}), strange)
    poll_strangely(plane, strange.location)
    client = client_of(plane)

    def undecodable() -> bool:
        try:
            client.queue_stats(strange.location)
        except Refused as problem:
            return problem.code == UNDECODABLE
        return False

    until(undecodable, "the server never told of the worker")
    for everything in (False, True):
        observation = plane.adapter.observe(
            target=plane.target, placements=[strange, neighbour], everything=everything
        )
        assert set(observation.placements) == {strange.id, neighbour.id}
        assert observation.failures == {}
        (warning,) = observation.placements[strange.id].warnings
        assert warning.startswith(f"The workers of {strange.location} cannot be read")
        (odd,) = observation.unreadable
        assert (odd.location, odd.name) == (strange.location, "")
        assert observation.placements[strange.id].objects[0].fields == {"queue_rate": 20_000}
    # Its limits are changed, it is suspended, and let go, like any other.
    plane.settle(limits({"temporal.queue_rate": 5_000}), strange)
    plane.settle(limits({"temporal.queue_rate": 5_000}, suspended=True), strange)
    plane.settle(limits({"temporal.queue_rate": None}), strange)
    plane.settle(limits({"temporal.queue_rate": 7_000}), neighbour)


def test_a_dedicated_queue_gets_its_rate_with_reason_and_identity(plane: Plane) -> None:
    placement = own_queue()
    plane.settle(limits({"temporal.queue_rate": 20_500}), placement)
    config = client_of(plane).queue_config(placement.location)
    assert config.queue_rate.milli == 20_500
    assert (config.queue_rate.reason, config.queue_rate.identity) == ("a test", "headroom:test")
    plane.leave(placement)
    assert client_of(plane).queue_config(placement.location).queue_rate.milli is None


def test_a_rate_set_by_somebody_else_is_seen_with_its_owner_and_set_back(plane: Plane) -> None:
    placement, wanted = own_queue(), limits({"temporal.queue_rate": 3_000})
    plane.settle(wanted, placement)
    update_and_see(
        client_of(plane), placement.location, queue_rate=9_000, reason="quick fix", identity="bob"
    )
    (change,) = plane.differences(wanted, placement, everything=True)
    (field,) = change.fields
    assert (field.before, field.after) == ("9/s", "3/s")
    assert field.owner is not None
    assert (field.owner.manager, field.owner.declarative) == ("bob", False)
    plane.settle(wanted, placement)


def test_suspending_stops_a_dedicated_queue_and_resuming_lets_it_flow(
    plane: Plane, worker: ActivityWorker
) -> None:
    placement, wanted = own_queue(DEDICATED), limits({"temporal.queue_rate": 50_000})
    plane.settle(replace(wanted, suspended=True), placement)
    name = worker.flood(DEDICATED, 30)
    assert ran(name, 2.0) == 0
    plane.settle(wanted, placement)
    until(lambda: COUNTS[name] == 30)
    usage = {item.key: item for item in plane.see(placement).usage}
    assert usage["temporal.queue_rate"].hard == 50_000
    assert usage["temporal.queue_rate"].used is not None
    plane.leave(placement)


def test_the_queue_of_a_tenant_that_is_off_boarded_stays_paused_until_somebody_else_comes(
    plane: Plane, worker: ActivityWorker
) -> None:
    placement, wanted = own_queue(DEDICATED), limits({"temporal.queue_rate": 50_000})
    plane.settle(replace(wanted, suspended=True), placement)
    name = worker.flood(DEDICATED, 10)
    plane.leave(replace(placement, stopped=True))
    assert ran(name, 2.0) == 0
    plane.settle(limits({}), placement)
    until(lambda: COUNTS[name] == 10)


def test_suspending_stops_one_tenant_of_a_shared_queue_and_resuming_releases_its_backlog(
    plane: Plane, worker: ActivityWorker
) -> None:
    stopped, other = share(f"a-{uuid4().hex[:6]}"), share(f"b-{uuid4().hex[:6]}")
    wanted = limits({"temporal.tenant_rate": 50_000})
    plane.settle(replace(wanted, suspended=True), stopped)
    plane.settle(wanted, other)
    held = worker.flood(SHARED, 30, key=stopped.fairness_key)
    until(lambda: COUNTS[held] > 0 or ran(held, 1.0) == 0)
    flowing = worker.flood(SHARED, 30, key=other.fairness_key)
    until(lambda: COUNTS[flowing] == 30)
    assert COUNTS[held] <= 1  # one leaks per partition, and this server has one
    plane.settle(wanted, stopped)
    until(lambda: COUNTS[held] == 30)


def test_a_thousand_weights_are_one_call_and_none_the_second_time(plane: Plane) -> None:
    placements = [share(f"t{number}", BULK) for number in range(1000)]
    adapter, target = plane.adapter, plane.target
    wanted = {
        placement.id: limits(
            {"temporal.tenant_rate": 500 * (1 + number % 7)}, tenant=placement.tenant
        )
        for number, placement in enumerate(placements)
    }

    def work() -> list[PlacementChanges]:
        observation = adapter.observe(target=target, placements=placements, everything=True)
        assert observation.reads <= 4
        return [
            PlacementChanges(placement, changes)
            for placement in placements
            if (
                changes := plane.compare(
                    wanted[placement.id], placement, observation.placements[placement.id]
                )
            )
        ]

    todo, before = work(), client_of(plane).counter.copy()
    results: list[ApplyResult] = []
    adapter.apply(target=target, work=todo, on_result=results.append)
    assert len(results) == 1000
    assert {result.error for result in results} == {None}
    assert sum(result.calls for result in results) == adapter.cost(target=target, work=todo) == 1
    assert client_of(plane).counter.since(before).writes <= 1
    assert work() == []
    update_and_see(client_of(plane), BULK, unset_weights=["t7"], reason="", identity="bob")
    (missing,) = work()
    assert missing.changes[0].operation is Operation.CREATE


def test_a_sweep_of_many_queues_reads_each_once_and_says_why_use_is_unknown(plane: Plane) -> None:
    placements = [own_queue() for _ in range(20)]
    observation = plane.adapter.observe(target=plane.target, placements=placements, everything=True)
    assert observation.reads == 20
    for observed in observation.placements.values():
        assert observed.usage[0].used is None
        assert "many queues" in observed.usage[0].why


def test_leaving_unsets_our_weight_and_leaves_other_keys_alone(plane: Plane) -> None:
    placement, theirs = share(f"a-{uuid4().hex[:6]}"), f"x-{uuid4().hex[:6]}"
    update_and_see(
        client_of(plane), SHARED, set_weights={theirs: 2_000}, reason="by hand", identity="bob"
    )
    plane.settle(limits({}), placement)
    assert client_of(plane).queue_config(SHARED).weights[placement.fairness_key] == 1_000
    assert theirs in plane.see(placement, everything=True).foreign[0]
    plane.leave(placement)
    config = client_of(plane).queue_config(SHARED)
    assert placement.fairness_key not in config.weights
    assert config.weights[theirs] == 2_000
    assert config.key_default.milli == 5_000


def test_a_base_rate_that_somebody_changed_is_drift_and_set_back(plane: Plane) -> None:
    placement, wanted = share(f"a-{uuid4().hex[:6]}"), limits({"temporal.tenant_rate": 10_000})
    plane.settle(wanted, placement)
    update_and_see(client_of(plane), SHARED, key_default=7_000, reason="test", identity="bob")
    (change,) = plane.differences(wanted, placement)
    assert [(item.path, item.before, item.after) for item in change.fields] == [
        ("base_rate", "7/s", "5/s")
    ]
    assert change.fields[0].owner is not None
    assert change.fields[0].owner.manager == "bob"
    plane.settle(wanted, placement)
    plane.leave(placement)


def test_a_close_look_warns_of_workers_that_evade_the_limit(
    plane: Plane, temporal_address: str
) -> None:
    queue = f"mixed-{uuid4().hex[:6]}"
    running = ActivityWorker(temporal_address, (queue,), workflows=queue)
    try:
        placement = own_queue(queue)
        plane.settle(limits({"temporal.queue_rate": 2_000}), placement)
        until(lambda: any("eager" in warning for warning in plane.see(placement).warnings))
    finally:
        running.stop()


def test_a_server_without_fairness_is_found_out_and_refuses_shared_queues() -> None:
    with servers.temporal_server(fairness=False, partitions=4) as server:
        target = TargetRef(
            3, "old", "temporal", server.address, "",
            options={"namespace": "made-here", "create_namespace": True, "queues": {SHARED: {}}},
        )  # fmt: skip
        plane = Plane(target)
        assert "does not exist" in plane.adapter.probe(target=target).warnings[0]
        assert plane.adapter.prepare(target=target) > 0
        until(lambda: plane.adapter.prepare(target=target) == 0)
        health = plane.adapter.probe(target=target)
        assert health.features["fairness"] is False
        known = replace(target, features=health.features)
        compiled = plane.adapter.compile(
            limits=limits({"temporal.weight": 2_000}), placement=share("a"), target=known
        )
        assert compiled.objects == ()
        assert [refusal.code for refusal in compiled.refusals] == ["no_fairness"]
        placement = own_queue()
        slow = Plane(known)
        slow.settle(limits({"temporal.queue_rate": 1_000}), placement)
        assert any("4 partitions" in warning for warning in slow.see(placement).warnings)


def test_a_queue_that_nobody_polls_says_so_with_what_waits_there(
    plane: Plane, worker: ActivityWorker
) -> None:
    placement = own_queue()
    name = placement.location
    plane.settle(limits({"temporal.queue_rate": 3_000}), placement)
    (warning,) = plane.see(placement).warnings
    assert warning == f"No worker polls {name}, so its rate binds nobody now."
    worker.flood(name, 3)
    client = client_of(plane)
    until(lambda: client.queue_stats(name).backlog == 3)
    (warning,) = plane.see(placement).warnings
    assert warning.startswith(
        f"No worker polls {name}, so its rate binds nobody now: 3 tasks wait, the oldest for "
    )


def test_a_queue_that_is_paused_says_how_much_waits(plane: Plane, worker: ActivityWorker) -> None:
    placement = own_queue(DEDICATED)
    plane.settle(limits({"temporal.queue_rate": 0}), placement)
    worker.flood(DEDICATED, 5)
    until(lambda: client_of(plane).queue_stats(DEDICATED).backlog >= 5)
    assert any(
        warning.startswith(f"{DEDICATED} is paused: ") and "tasks wait" in warning
        for warning in plane.see(placement).warnings
    )
    plane.leave(placement)
