"""The Celery adapter over a real Valkey and real workers: what they are told and what they do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from uuid import uuid4

import pytest

from console.clients import pool
from console.clients.celery.client import CeleryClient
from console.clients.celery.kept_events import PREFIX
from console.errors import Unreachable
from deploy.ports import any_free
from quotas.enforcement.ports import ApplyResult, Observed, Operation, PlacementChanges
from quotas.plans.contracts import EffectiveLimits
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.adapter_harness import Plane, limits
from tests.servers import Server, ValkeyServer
from tests.waiting import until
from tests.workers import celery_worker

RATE = "celery.queue_rate"
ACME = PlacementRef(1, "acme", "demo-celery", "celery", "acme-tasks")
GLOBEX = replace(ACME, id=2, tenant="globex", location="globex-tasks")


@pytest.fixture(scope="module")
def url(valkey: ValkeyServer) -> Iterator[str]:
    """A database of this module's own."""
    yield valkey.url.removesuffix("/0") + "/7"
    pool.close_all()


@pytest.fixture(scope="module")
def worker(url: str) -> Iterator[Server]:
    """Consumes only the queue of acme."""
    with celery_worker(url, "acme-tasks", name="acme@limits", processes=1) as server:
        yield server


@pytest.fixture
def plane(url: str, worker: Server) -> Plane:
    """Probed."""
    return probed(TargetRef(77, "demo-celery", "celery", url, "", {"app": "sample"}))


@pytest.fixture
def client(url: str) -> CeleryClient:
    """To look at the workers past the adapter."""
    return CeleryClient(url)


def probed(target: TargetRef) -> Plane:
    """The target with the features that a probe finds."""
    plane = Plane(target)
    health = plane.adapter.probe(target=target)
    return Plane(replace(target, features=health.features))


def rates(client: CeleryClient, host: str) -> Mapping[str, str]:
    """Rate limit by task type."""
    with client.control() as control:
        return {task.name: task.rate_limit for task in control.registered(to=[host])[host]}


def wanted(milli: int | None, *, suspended: bool = False) -> EffectiveLimits:
    """A plan with only that limit."""
    return limits({RATE: milli}, suspended=suspended)


def test_a_rate_is_told_to_every_task_type_and_seen_again(
    plane: Plane, client: CeleryClient
) -> None:
    plane.settle(wanted(2_500), ACME)
    task_rates = rates(client, "acme@limits")
    assert len(task_rates) == 8
    assert set(task_rates.values()) == {"+2.500000000/s"}
    observed = plane.see(ACME)
    assert [(item.key, item.hard) for item in observed.usage] == [(RATE, 2_500)]
    assert any("task type" in warning for warning in observed.warnings)
    plane.settle(wanted(400), ACME)
    assert set(rates(client, "acme@limits").values()) == {"+0.400000000/s"}


def test_without_a_limit_the_worker_is_free_again(plane: Plane, client: CeleryClient) -> None:
    plane.settle(wanted(1_000), ACME)
    plane.settle(wanted(None), ACME)
    assert set(rates(client, "acme@limits").values()) == {"0"}
    assert plane.see(ACME).objects == ()


def test_an_edit_by_hand_is_seen_and_not_taken_for_a_new_worker(
    plane: Plane, client: CeleryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotas.enforcement.adapters.celery.observe.NEW", 0.0)
    plane.settle(wanted(1_000), ACME)
    with client.control() as control:
        control.rate_limit("reports.build", "99/s", to=["acme@limits"])
    observed = plane.see(ACME)
    (change,) = plane.compare(wanted(1_000), ACME, observed)
    assert (change.operation, observed.reset) == (Operation.UPDATE, False)
    assert change.fields[0].owner is not None
    plane.settle(wanted(1_000), ACME)


def test_two_workers_share_the_rate_and_a_new_one_is_no_drift(
    plane: Plane, client: CeleryClient, url: str
) -> None:
    plane.settle(wanted(3_000), ACME)
    with celery_worker(url, "acme-tasks", name="acme2@limits", processes=1):
        again = probed(plane.target)
        observed = again.see(ACME)
        assert observed.reset
        assert again.compare(wanted(3_000), ACME, observed)
        again.settle(wanted(3_000), ACME)
        for host in ("acme@limits", "acme2@limits"):
            assert set(rates(client, host).values()) == {"+1.500000000/s"}
    until(lambda: not plane.adapter.observe(
        target=plane.target, placements=[ACME], everything=True
    ).placements[1].vacant)  # fmt: skip
    observed = plane.see(ACME)
    assert observed.reset
    assert plane.compare(wanted(3_000), ACME, observed)
    plane.settle(wanted(3_000), ACME)


def test_two_workers_of_one_name_share_the_rate_and_are_warned_of(
    plane: Plane, client: CeleryClient, url: str
) -> None:
    name = "same@limits"
    with celery_worker(url, "same-tasks", name=name, processes=1):
        alone = probed(plane.target)
        same = replace(ACME, id=3, location="same-tasks")
        alone.settle(wanted(3_000), same)
        assert set(rates(client, name).values()) == {"+3.000000000/s"}
        with celery_worker(url, "same-tasks", name=name, processes=1):
            again = probed(plane.target)
            health = again.adapter.probe(target=again.target)
            assert any("2 workers call themselves same@limits" in say for say in health.warnings)
            observed = again.see(same)
            assert observed.reset  # the second has begun, and has no rate yet
            again.settle(wanted(3_000), same)
            assert set(rates(client, name).values()) == {"+1.500000000/s"}
            observed = again.see(same)
            assert [item.hard for item in observed.usage] == [3_000]
            assert any("2 workers call themselves" in say for say in observed.warnings)
            assert seconds_of(client, 30, "same-tasks") >= (30 - BURST) / 3
    plane.settle(wanted(None), ACME)


BURST = 6
"""Tasks that may start above the rate at the beginning: the first of each worker, and what was late
on a slow machine."""


def seconds_of(client: CeleryClient, number: int, queue: str) -> float:
    """How long it takes from the start of the first to that of the last of so many tasks."""
    batches = client.events().batches(queue=f"{PREFIX}{uuid4().hex}", within=0.2)  # clock: then on
    next(batches)
    ids = {client.send("pipeline.extract", args=[1], queue=queue).uuid for _ in range(number)}
    starts: dict[str, float] = {}
    for batch in batches:
        for event in batch.events:
            if event.type == "task-started" and event.uuid in ids:
                starts[event.uuid] = event.us / 1e6
        if len(starts) == number:
            break
    batches.close()
    return max(starts.values()) - min(starts.values())


def test_suspending_stops_the_queue_and_resuming_starts_it(
    plane: Plane, client: CeleryClient
) -> None:
    plane.settle(wanted(5_000), ACME)
    plane.settle(wanted(5_000, suspended=True), ACME)
    with client.control() as control:
        assert control.active_queues(to=["acme@limits"]) == {"acme@limits": ()}
    client.send("pipeline.extract", args=[1], queue="acme-tasks")
    assert client.waiting("acme-tasks") == 1
    (paused,) = plane.see(ACME).objects
    assert paused.shown == {"queue_rate": "paused"}
    # A later probe still knows whose worker it was.
    again = probed(plane.target)
    again.settle(wanted(5_000), ACME)
    with client.control() as control:
        assert control.active_queues(to=["acme@limits"]) == {"acme@limits": ("acme-tasks",)}
    until(lambda: client.waiting("acme-tasks") == 0)


def test_a_limit_of_nothing_is_a_pause_too(plane: Plane, client: CeleryClient) -> None:
    plane.settle(wanted(0), ACME)
    with client.control() as control:
        assert control.active_queues(to=["acme@limits"]) == {"acme@limits": ()}
    plane.leave(ACME)
    with client.control() as control:
        assert control.active_queues(to=["acme@limits"]) == {"acme@limits": ("acme-tasks",)}


def test_a_tenant_that_leaves_while_it_is_stopped_stays_paused(plane: Plane) -> None:
    leaving = replace(ACME, leaving=True, stopped=True)
    compiled = plane.adapter.compile(limits=None, placement=leaving, target=plane.target)
    assert [dict(item.fields) for item in compiled.objects] == [{"queue_rate": 0}]
    assert "stays paused" in compiled.warnings[0]


def test_a_queue_without_workers_has_nothing_to_enforce(plane: Plane) -> None:
    observed: Observed = plane.see(GLOBEX)
    assert observed.vacant
    assert "No worker of globex-tasks is online" in observed.warnings[0]
    assert plane.push(wanted(1_000), GLOBEX).error is None


def test_a_queue_that_nobody_serves_says_how_much_waits_there(
    plane: Plane, client: CeleryClient
) -> None:
    nobody = replace(ACME, id=3, tenant="initech", location="initech-tasks")
    for _ in range(3):
        client.send("reports.build", queue="initech-tasks")
    observed = plane.see(nobody)
    assert observed.vacant
    assert observed.warnings == (
        "No worker of initech-tasks is online, so its limit applies to no worker now: 3 tasks wait"
        " there.",
    )


def test_a_paused_queue_says_how_much_waits_there(plane: Plane, client: CeleryClient) -> None:
    plane.settle(wanted(0), ACME)
    client.send("reports.build", queue="acme-tasks")
    assert "acme-tasks is paused: 1 task waits there." in plane.see(ACME).warnings
    plane.leave(ACME)


def test_a_worker_of_several_queues_is_refused_a_rate_but_can_be_paused(
    plane: Plane, client: CeleryClient, url: str
) -> None:
    with celery_worker(url, "globex-tasks", "hooli-tasks", name="both@limits", processes=1):
        shared = probed(plane.target)
        compiled = shared.adapter.compile(
            limits=wanted(1_000), placement=GLOBEX, target=shared.target
        )
        assert compiled.objects == ()
        (refusal,) = compiled.refusals
        assert (refusal.key, refusal.code) == (RATE, "shared_worker")
        assert "hooli-tasks" in refusal.message
        shared.settle(wanted(1_000), GLOBEX)
        assert set(rates(client, "both@limits").values()) == {""}
        shared.settle(wanted(1_000, suspended=True), GLOBEX)
        with client.control() as control:
            assert control.active_queues(to=["both@limits"]) == {"both@limits": ("hooli-tasks",)}
        probed(shared.target).settle(wanted(None), GLOBEX)
        with client.control() as control:
            queues = control.active_queues(to=["both@limits"])
        assert queues == {"both@limits": ("globex-tasks", "hooli-tasks")}


def test_a_probe_names_the_broker_and_its_workers(plane: Plane) -> None:
    health = plane.adapter.probe(target=plane.target)
    assert health.version.startswith("Valkey 8.")
    assert "acme@limits" in health.features["workers"]
    assert health.latency_ms > 0
    assert plane.adapter.prepare(target=plane.target) == 0


def test_a_broker_that_is_away_is_unreachable_for_everybody() -> None:
    nobody = f"redis://127.0.0.1:{any_free()}/0"
    dead = Plane(TargetRef(78, "x", "celery", nobody, "", timeout=2.0))  # clock: it is not there
    with pytest.raises(Unreachable):
        dead.adapter.probe(target=dead.target)
    with pytest.raises(Unreachable):
        dead.see(ACME)
    results: list[ApplyResult] = []
    change = dead.compare(wanted(1_000), ACME, Observed())
    work = [PlacementChanges(placement, change) for placement in (ACME, GLOBEX)]
    dead.adapter.apply(target=dead.target, work=work, on_result=results.append)
    assert [type(result.error) for result in results] == [Unreachable, Unreachable]


@pytest.mark.parametrize(
    ("location", "sharing", "key", "fields"),
    [
        ("acme-tasks", "dedicated", "", []),
        ("", "dedicated", "", ["location"]),
        (" acme", "dedicated", "", ["location"]),
        ("a,b", "dedicated", "", ["location"]),
        ("acme-tasks", "shared", "", ["sharing"]),
        ("acme-tasks", "dedicated", "acme", ["fairness_key"]),
    ],
)
def test_what_may_be_entered(location: str, sharing: str, key: str, fields: list[str]) -> None:
    plane = Plane(TargetRef(79, "x", "celery", "redis://127.0.0.1:1/0", ""))
    faults = plane.adapter.validate(
        location=location, sharing=sharing, fairness_key=key, target=plane.target
    )
    assert sorted(faults) == fields
