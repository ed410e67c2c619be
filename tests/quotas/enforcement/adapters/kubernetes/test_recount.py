"""Counting again what a quota counts."""

from __future__ import annotations

from typing import Any

import pytest

from quotas.enforcement.adapters.kubernetes.recount import recount
from quotas.enforcement.adapters.kubernetes.usage import usage
from quotas.plans.contracts import Scope


def container(cpu: str = "", memory: str = "", **more: Any) -> dict[str, Any]:
    """A container with these requests, and limits of the same size."""
    amounts = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"name": "c", "resources": {"requests": amounts, "limits": amounts}, **more}


def pod(*containers: dict[str, Any], phase: str = "Running", **spec: Any) -> dict[str, Any]:
    """A pod in a phase."""
    return {"spec": {"containers": list(containers), **spec}, "status": {"phase": phase}}


def cpu(*pods: dict[str, Any], scopes: tuple[Scope, ...] = ()) -> int | None:
    """Recounted CPU requests."""
    return recount({"Pod": pods}, "requests.cpu", scopes)


def test_containers_add_up_and_finished_pods_are_free() -> None:
    running = pod(container("200m"), container("1"))
    assert (
        cpu(running, pod(container("4"), phase="Succeeded"), pod(container("4"), phase="Failed"))
        == 1_200
    )
    assert recount({"Pod": [running, pod(phase="Failed")]}, "pods", ()) == 1
    assert recount({"Pod": [running, pod(phase="Failed")]}, "count/pods", ()) == 2


def test_an_init_container_counts_only_where_it_needs_more() -> None:
    assert cpu(pod(container("1"), initContainers=[container("3")])) == 3_000
    assert cpu(pod(container("1"), initContainers=[container("500m")])) == 1_000


def test_a_sidecar_counts_beside_containers_and_later_init_containers() -> None:
    sidecar = container("500m", restartPolicy="Always")
    assert cpu(pod(container("1"), initContainers=[sidecar])) == 1_500
    assert cpu(pod(container("1"), initContainers=[sidecar, container("3")])) == 3_500


def test_overhead_is_added_and_pod_level_resources_win() -> None:
    assert cpu(pod(container("1"), overhead={"cpu": "250m"})) == 1_250
    assert cpu(pod(container("1"), resources={"requests": {"cpu": "2"}})) == 2_000


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope("Terminating"), 1_000),
        (Scope("NotTerminating"), 6_000),
        (Scope("NotBestEffort"), 7_000),
        (Scope("BestEffort"), 0),
        (Scope("PriorityClass", "In", ("low",)), 2_000),
        (Scope("PriorityClass", "NotIn", ("low",)), 5_000),
        (Scope("PriorityClass"), 2_000),
        (Scope("PriorityClass", "DoesNotExist"), 5_000),
        (Scope("CrossNamespacePodAffinity"), None),
    ],
)
def test_a_scope_selects_its_pods(scope: Scope, expected: int | None) -> None:
    pods = (
        pod(container("1"), activeDeadlineSeconds=60),
        pod(container("2"), priorityClassName="low"),
        pod(container("4")),
        pod({"name": "free"}),
    )
    assert cpu(*pods, scopes=(scope,)) == expected


def test_objects_are_counted_by_kind_and_what_was_not_listed_is_unknown() -> None:
    listed: dict[str, tuple[dict[str, Any], ...]] = {"Pod": (), "Job": ({}, {})}
    assert recount(listed, "count/jobs.batch", ()) == 2
    assert recount(listed, "count/configmaps", ()) is None
    assert recount(listed, "requests.storage", ()) is None
    assert recount(listed, "services", ()) is None


def quota(name: str, spec: dict[str, str], **status: dict[str, str]) -> dict[str, Any]:
    """A quota; ours by its name."""
    labels = {"app.kubernetes.io/managed-by": "headroom"} if name == "headroom" else {}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"hard": spec}, "status": status}


def test_an_unfilled_status_is_unknown_and_says_why() -> None:
    (pod_usage,) = usage(None, [quota("headroom", {"pods": "5"})], [], None)
    assert (pod_usage.hard, pod_usage.used) == (None, None)
    assert "quota controller" in pod_usage.why


def test_the_smallest_of_several_quotas_wins_and_use_stays_ours() -> None:
    ours = quota("headroom", {"pods": "20"}, hard={"pods": "20"}, used={"pods": "3"})
    theirs = quota("gke-resource-quotas", {"pods": "7"}, hard={"pods": "7"}, used={"pods": "3"})
    for order in ([ours, theirs], [theirs, ours]):
        (pod_usage,) = usage(None, order, [], None)
        assert (pod_usage.key, pod_usage.hard, pod_usage.used) == ("pods", 7, 3)


def test_an_alias_in_a_foreign_quota_is_the_same_limit() -> None:
    foreign = quota("theirs", {"cpu": "2"}, hard={"cpu": "2"}, used={"cpu": "1500m"})
    (cpu_usage,) = usage(None, [foreign], [], None)
    assert (cpu_usage.key, cpu_usage.hard, cpu_usage.used) == ("requests.cpu", 2_000, 1_500)
