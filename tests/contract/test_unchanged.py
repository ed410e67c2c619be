"""What a cluster, emulated and real, and Temporal's server tell about being unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any, NoReturn, cast
from uuid import uuid4

import pytest

from console.clients import pool
from console.clients.kubernetes.watch import Expired
from console.errors import Refused, Unreachable
from quotas.enforcement.adapters.kubernetes import unchanged
from quotas.enforcement.adapters.temporal import apply
from quotas.enforcement.ports import Comparison, TellsChanges
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.activity_worker import ActivityWorker
from tests.contract.adapter_harness import Plane, limits
from tests.contract.clusters import WANTED, Site
from tests.temporal_queues import update_and_see
from tests.waiting import PATIENCE, until

numbers = count(1)


def ask(plane: Plane, placement: PlacementRef, since: Any = None) -> Comparison:
    adapter = plane.adapter
    assert isinstance(adapter, TellsChanges)
    return adapter.compared(target=plane.target, locations=[placement.location], since=since)


def at_rest(plane: Plane, placement: PlacementRef) -> Any:
    """The mark of a target that has told twice that nothing changes."""
    answers = [ask(plane, placement)]
    assert answers[0].same is False

    def unchanged_twice() -> bool:
        for _ in range(2):
            answers.append(ask(plane, placement, answers[-1].mark))
        return answers[-1].same and answers[-2].same

    until(unchanged_twice, "something always changes there")
    return answers[-1].mark


def _patch(site: Site, placement: PlacementRef, kind: str, name: str, patch: str) -> None:
    site.kubectl("-n", placement.location, "patch", kind, name, "--type=merge", "-p", patch)


def _quota_of_somebody(site: Site, placement: PlacementRef) -> None:
    site.client.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "theirs", "namespace": placement.location},
            "spec": {"hard": {"pods": "3"}},
        },
        "somebody",
    )


def _namespace_of_somebody(site: Site, placement: PlacementRef) -> None:
    name = f"{placement.location}-b"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    site.client.apply(manifest, "somebody")
    site.client.delete("Namespace", name)


CHANGES: dict[str, Callable[[Site, PlacementRef], object]] = {
    "a hand edit": lambda site, at: site.edit(at, '{"spec":{"hard":{"pods":"999"}}}'),
    "a quota of somebody else": _quota_of_somebody,
    "a pod that uses some": lambda site, at: site.pod(at),
    "a label of a namespace": lambda site, at: site.kubectl(
        "label", "namespace", at.location, "app.kubernetes.io/managed-by-"
    ),
    "a namespace of somebody else": _namespace_of_somebody,
    "a limit range that lost our label": lambda site, at: _patch(
        site, at, "limitrange", "headroom",
        '{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}',
    ),
    "a network policy that is gone": lambda site, at: site.kubectl(
        "-n", at.location, "delete", "networkpolicy", "--all"
    ),
    "a role binding that is gone": lambda site, at: site.kubectl(
        "-n", at.location, "delete", "rolebinding", "--all"
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_cluster_tells_of_every_change_that_a_sweep_would_observe(
    site: Site, placement: PlacementRef, change: Callable[[Site, PlacementRef], object]
) -> None:
    site.settle(WANTED, placement)
    mark = at_rest(site, placement)
    change(site, placement)
    answer = ask(site, placement, mark)
    assert answer.same is False
    assert answer.mark is not None


def test_what_no_sweep_observes_changes_nothing(site: Site, placement: PlacementRef) -> None:
    site.settle(WANTED, placement)
    mark = at_rest(site, placement)
    theirs = {"name": "theirs", "namespace": placement.location}
    site.client.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": theirs, "data": {"a": "b"}},
        "somebody",
    )
    answers = [ask(site, placement, mark)]

    def same() -> bool:
        if not answers[-1].same:
            answers.append(ask(site, placement, answers[-1].mark))
        return answers[-1].same

    until(same, "others use this cluster too, but once it is quiet")
    assert answers[-1].reads <= 10


def test_a_change_that_a_slow_server_tells_late_is_told_by_the_next_answer(
    site: Site, placement: PlacementRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.settle(WANTED, placement)
    mark = at_rest(site, placement)
    site.edit(placement, '{"spec":{"hard":{"pods":"999"}}}')
    with monkeypatch.context() as slow:
        slow.setattr(unchanged, "_is_quiet", lambda *_: True)
        answer = ask(site, placement, mark)
    assert answer.same is True
    assert ask(site, placement, answer.mark).same is False


def test_another_cluster_behind_the_same_settings_is_not_the_same(
    site: Site, placement: PlacementRef
) -> None:
    mark = cast("unchanged.VersionMark", at_rest(site, placement))
    assert mark.cluster
    assert ask(site, placement, replace(mark, cluster="another")).same is False


@pytest.mark.parametrize("error", [Refused("no"), Expired("too old"), Unreachable("cut off")])
def test_where_nothing_can_be_watched_nothing_is_told(
    site: Site, placement: PlacementRef, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    mark = at_rest(site, placement)

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise error

    monkeypatch.setattr(unchanged, "watch", refuse)
    answer = ask(site, placement, mark)
    assert (answer.same, answer.mark) == (False, None)


def test_who_may_not_even_list_hears_why(poor: TargetRef, placement: PlacementRef) -> None:
    with pytest.raises(Refused, match="forbidden"):
        ask(Plane(poor), placement)


SHARED = f"shared-{uuid4().hex[:6]}"


@pytest.fixture(scope="module")
def server(temporal_address: str) -> Iterator[Plane]:
    """Temporal as a target with a shared queue."""
    options = {"queues": {SHARED: {"base_rate": 5_000}}}
    made = Plane(TargetRef(4, "jobs", "temporal", temporal_address, "", options=options))
    health = made.adapter.probe(target=made.target)
    made.adapter.prepare(target=made.target)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(apply, "PATIENCE", PATIENCE)
        yield Plane(replace(made.target, features=health.features))


def on_queue(name: str = "", key: str = "") -> PlacementRef:
    name = name or f"own-{uuid4().hex[:8]}"
    sharing = "shared" if key else "dedicated"
    return PlacementRef(next(numbers), "acme", "jobs", "temporal", name, sharing, key)


EDITS: dict[str, dict[str, Any]] = {
    "a weight": {"set_weights": {"acme": 9_000}},
    "a weight that is gone": {"unset_weights": ["acme"]},
    "a key of nobody": {"set_weights": {"stranger": 2_000}},
    "the base rate": {"key_default": 7_000},
    "the rate of all": {"queue_rate": 70_000},
}


@pytest.mark.temporal
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_temporal_server_tells_of_every_edit_of_a_shared_queue(
    server: Plane, edit: dict[str, Any]
) -> None:
    placement = on_queue(SHARED, "acme")
    server.settle(limits({"temporal.weight": 2_000}), placement)
    mark = at_rest(server, placement)
    client = pool.temporal(server.target.endpoint)
    update_and_see(client, SHARED, reason="by hand", identity="bob", **edit)
    assert ask(server, placement, mark).same is False
    update_and_see(
        client, SHARED, unset_weights=["stranger"], queue_rate=None, key_default=5_000,
        reason="undone", identity="bob",
    )  # fmt: skip


@pytest.mark.temporal
def test_a_rate_that_somebody_set_to_the_same_value_is_a_change_of_its_owner(
    server: Plane,
) -> None:
    placement = on_queue()
    server.settle(limits({"temporal.queue_rate": 3_000}), placement)
    mark = at_rest(server, placement)
    client = pool.temporal(server.target.endpoint)
    client.update_queue(placement.location, queue_rate=3_000, reason="mine", identity="bob")
    until(lambda: client.queue_config(placement.location).queue_rate.identity == "bob")
    assert ask(server, placement, mark).same is False


@pytest.mark.temporal
def test_workers_that_come_are_a_change_of_a_queue(server: Plane, temporal_address: str) -> None:
    placement = on_queue()
    server.settle(limits({"temporal.queue_rate": 3_000}), placement)
    mark = at_rest(server, placement)
    running = ActivityWorker(temporal_address, (placement.location,))
    try:
        client = pool.temporal(server.target.endpoint)
        until(lambda: bool(client.queue_stats(placement.location).pollers))
        assert ask(server, placement, mark).same is False
        # Who goes on asking for work changes nothing.
        at_rest(server, placement)
    finally:
        running.stop()


@pytest.mark.temporal
def test_another_queue_is_not_the_same(server: Plane) -> None:
    first, second = on_queue(), on_queue()
    mark = at_rest(server, first)
    assert ask(server, second, mark).same is False
