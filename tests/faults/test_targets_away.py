"""A target that stops or hangs in the middle of a rollout: it goes on by itself, others go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from console.audit.models import Entry
from console.clients import pool
from quotas.changes.kinds.adjustments import SetOverride
from quotas.changes.services import proposals
from quotas.enforcement.models import (
    Condition,
    Drift,
    ItemState,
    Rollout,
    TargetState,
    TenantState,
)
from tests.faults.installation import FAULTS, Installation, states
from tests.faults.kubectl_user import KubectlUser
from tests.servers import Cluster, KubeControlPlane, temporal_server
from tests.waiting import until

TENANTS = 60


def condition(slug: str) -> str:
    """How a target stands."""
    return TargetState.objects.get(target__slug=slug).condition


def unfinished(rollout: Rollout) -> bool:
    """Whether a rollout still has something to do."""
    return Rollout.objects.filter(pk=rollout.pk, finished_at=None).exists()


@pytest.mark.cluster
def test_a_rollout_goes_on_by_itself_after_its_api_server_was_away_and_others_do_not_wait(
    installation: Installation, plane: KubeControlPlane, kube: Cluster
) -> None:
    lab = installation.cluster(plane.kubeconfig, "lab", concurrency=1)
    other = installation.cluster(kube.kubeconfig, "other")
    tenants = installation.tenants(TENANTS, installation.plan(pods=10))
    here, there = installation.place(tenants, lab), installation.place(tenants[:3], other)
    kubectl_user, last = KubectlUser(plane.kubeconfig), here[-1].location
    worker = installation.worker()
    installation.beat()

    rollout = installation.order_from(worker, here)
    until(lambda: kubectl_user.ours(here[0].location))
    plane.apiserver.kill()
    elsewhere = installation.order(there)
    installation.finished(elsewhere)
    until(lambda: condition("lab") == Condition.UNREACHABLE, what=installation.logs())

    assert condition("other") == Condition.SYNCED
    assert unfinished(rollout)
    assert set(states(rollout)) <= {ItemState.WAITING, ItemState.RUNNING, ItemState.DONE}
    assert TenantState.objects.get(tenant=tenants[-1]).condition == Condition.UNREACHABLE
    plane.apiserver.start()
    installation.finished(rollout)
    assert kubectl_user.hard(last) == {"pods": "10"}
    until(lambda: condition("lab") == Condition.SYNCED)
    until(lambda: TenantState.objects.get(tenant=tenants[-1]).condition == Condition.SYNCED)


@pytest.mark.temporal
def test_a_rollout_goes_on_by_itself_after_temporal_was_away(
    installation: Installation, tmp_path: Path
) -> None:
    with temporal_server(db_file=tmp_path / "temporal.db") as server:
        target = installation.temporal(server.address)
        version = installation.plan(temporal__queue_rate=20_000)
        placements = installation.place(installation.tenants(130, version), target)
        client = pool.temporal(server.address)

        def rate(number: int) -> int | None:
            return client.queue_config(placements[number].location).queue_rate.milli

        worker = installation.worker()
        installation.beat()
        rollout = installation.order_from(worker, placements)
        until(lambda: rate(0) == 20_000)
        server.stop()

        assert unfinished(rollout)
        until(lambda: condition("jobs") == Condition.UNREACHABLE, what=installation.logs())
        assert unfinished(rollout)
        server.start()
        installation.finished(rollout)
        until(lambda: {rate(number) for number in (0, 64, 129)} == {20_000})
        until(lambda: condition("jobs") == Condition.SYNCED)


@pytest.mark.temporal
@pytest.mark.parametrize("number", [8, 1])
def test_a_server_that_lost_its_database_gets_its_limits_back_and_nobody_is_blamed(
    installation: Installation, number: int
) -> None:
    with temporal_server() as server:  # what it knew is gone when it stops
        target = installation.temporal(server.address)
        version = installation.plan(temporal__queue_rate=20_000)
        placements = installation.place(installation.tenants(number, version), target)
        client = pool.temporal(server.address)

        def rates() -> set[int | None]:
            return {client.queue_config(item.location).queue_rate.milli for item in placements}

        worker = installation.worker()
        installation.beat()
        installation.finished(installation.order_from(worker, placements))
        assert rates() == {20_000}
        server.restart()
        until(lambda: rates() == {20_000}, what=installation.logs())
        until(lambda: condition("jobs") == Condition.SYNCED)
        assert Drift.objects.count() == 0
        assert not Entry.objects.filter(action__startswith="drift.").exists()
        assert Entry.objects.get(action="target.lost").after == {"placements": number}


@pytest.mark.cluster
def test_a_target_that_hangs_is_given_up_in_time_while_others_go_on_and_heals_when_it_wakes(
    installation: Installation, plane: KubeControlPlane, kube: Cluster, settings: Settings
) -> None:
    settings.TARGET_TIMEOUT_SECONDS = 2
    lab, other = (
        installation.cluster(plane.kubeconfig, "lab"),
        installation.cluster(kube.kubeconfig, "other"),
    )
    tenants = installation.tenants(2, installation.plan(pods=10))
    (here,), (there,) = installation.place(tenants[:1], lab), installation.place(tenants[1:], other)
    installation.worker()
    installation.beat()
    installation.finished(installation.order([here, there]))

    plane.apiserver.pause()
    slugs = tuple(tenant.slug for tenant in tenants)
    rollout = installation.change(SetOverride(slugs, "pods", 7))

    until(lambda: KubectlUser(kube.kubeconfig).hard(there.location) == {"pods": "7"})
    until(lambda: condition("lab") == Condition.UNREACHABLE, what=installation.logs())
    until(lambda: sorted(states(rollout)) == [ItemState.DONE, ItemState.WAITING])
    _, preview = proposals.propose(change=SetOverride(slugs, "pods", 8), actor=FAULTS)
    assert preview is not None
    assert [(blocked.cause, blocked.target) for blocked in preview.blocked] == [
        ("unreachable", "lab")
    ]
    assert {item.target for item in preview.objects} == {"other"}
    plane.apiserver.resume()
    installation.finished(rollout)
    assert KubectlUser(plane.kubeconfig).hard(here.location) == {"pods": "7"}
