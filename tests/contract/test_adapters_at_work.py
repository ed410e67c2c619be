"""Kubernetes, emulated and real: what is counted, refused, left behind and out of reach."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from console.errors import Conflict, ExternalError, Unreachable
from deploy.ports import any_free
from quotas.enforcement.diff import diff
from quotas.enforcement.ports import ApplyResult, PlacementChanges
from quotas.plans.contracts import Policy
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.adapter_harness import limits
from tests.contract.clusters import PLAN, POLICY, WANTED, Site, enforced, numbers
from tests.waiting import until


def test_use_comes_from_the_quota_and_is_counted_again(site: Site, placement: PlacementRef) -> None:
    wanted = limits({"pods": 5, "requests.cpu": 1_000, "container.defaultRequest.cpu": 200})
    site.settle(wanted, placement)
    enforced(site, placement, "pods", "5")
    site.pod(placement)

    def used() -> bool:
        usage = {item.key: item for item in site.see(placement).usage}
        return usage["pods"].used == 1 and usage["requests.cpu"].used == 200

    until(used)
    usage = {item.key: item for item in site.see(placement).usage}
    assert (usage["requests.cpu"].hard, usage["requests.cpu"].recounted) == (1_000, 200)
    assert (usage["pods"].hard, usage["pods"].recounted) == (5, 1)
    swept = {item.key: item for item in site.see(placement, everything=True).usage}
    assert swept["requests.cpu"].used == 200
    assert swept["requests.cpu"].recounted is None


@pytest.mark.parametrize(
    ("plan", "given"),
    [
        # kubernetes#110956: a quota on local disk demands nothing, the pods' maximum does.
        (
            {"limits.ephemeral-storage": 600 * 2**20, "pod.max.ephemeral-storage": 512 * 2**20},
            {"requests": {"ephemeral-storage": "512Mi"}, "limits": {"ephemeral-storage": "512Mi"}},
        ),
        ({"limits.ephemeral-storage": 10 * 2**30, "requests.ephemeral-storage": 2**30}, {}),
        (
            {"requests.memory": 2**28, "container.max.memory": 2**34},
            {"requests": {"memory": "128Mi"}, "limits": {"memory": "16Gi"}},
        ),
        (
            {
                "requests.ephemeral-storage": 600 * 2**20,
                "container.max.ephemeral-storage": 2 * 2**30,
            },
            {"requests": {"ephemeral-storage": "256Mi"}, "limits": {"ephemeral-storage": "2Gi"}},
        ),
        (
            {"requests.cpu": 1000, "container.max.cpu": 8000},
            {"requests": {"cpu": "100m"}, "limits": {"cpu": "8"}},
        ),
        (
            {"requests.cpu": 1000, "limits.cpu": 400, "pod.max.cpu": 300, "pod.min.cpu": 150},
            {"requests": {"cpu": "150m"}, "limits": {"cpu": "300m"}},
        ),
        (
            {"limits.memory": 2**30, "pod.maxLimitRequestRatio.memory": 2000},
            {"requests": {"memory": "256Mi"}, "limits": {"memory": "256Mi"}},
        ),
        # Whoever is given memory is no longer BestEffort.
        (
            {"requests.memory": 2**30, "limits.cpu@NotBestEffort": 500},
            {"requests": {"memory": "128Mi", "cpu": "500m"}, "limits": {"cpu": "500m"}},
        ),
        ({"requests.cpu@NotBestEffort": 500, "pods@BestEffort": 3}, {}),
    ],
)
def test_a_pod_that_names_nothing_is_given_what_the_plan_accepts(
    site: Site, placement: PlacementRef, plan: dict[str, int | None], given: dict[str, object]
) -> None:
    wanted = limits({**plan, "pods": 5})
    site.settle(wanted, placement)
    enforced(site, placement, "pods", "5")
    counted = {name for name in plan if "@" not in name and name.startswith(("re", "li"))}
    until(lambda: counted <= site.quota(placement)["status"]["hard"].keys())
    pod = site.client.get("Pod", site.pod(placement), namespace=placement.location)
    assert pod["spec"]["containers"][0].get("resources", {}) == given


def test_a_foreign_quota_counts_and_is_left_alone(site: Site, placement: PlacementRef) -> None:
    site.settle(WANTED, placement)
    foreign = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "gke-resource-quotas", "namespace": placement.location},
        "spec": {"hard": {"pods": "7", "services": "5"}},
    }
    site.client.create(foreign)

    def filled() -> bool:
        quota = site.client.get(
            "ResourceQuota", "gke-resource-quotas", namespace=placement.location
        )
        return "pods" in quota.get("status", {}).get("hard", {})

    until(filled)
    enforced(site, placement, "pods", "20")
    for everything in (False, True):
        observed = site.see(placement, everything=everything)
        assert observed.foreign == ("ResourceQuota gke-resource-quotas: pods 7, services 5",)
        assert {item.key: item.hard for item in observed.usage}["pods"] == 7
    site.settle(WANTED, placement)
    assert site.client.get("ResourceQuota", "gke-resource-quotas", namespace=placement.location)


def test_a_namespace_that_is_not_ours_is_refused_adopted_by_force_and_given_back(
    site: Site, placement: PlacementRef
) -> None:
    where = placement.location
    site.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": where}})
    for everything in (False, True):
        assert "must be adopted" in site.see(placement, everything=everything).warnings[0]
    refused = site.push(WANTED, placement)
    assert isinstance(refused.error, Conflict)
    assert "must be adopted" in refused.error.message
    assert refused.done == ()
    assert site.client.list("ResourceQuota", namespace=where) == []
    site.settle(WANTED, placement, force=True)
    foreign = {"apiVersion": "v1", "kind": "ConfigMap"}
    site.client.create(foreign | {"metadata": {"name": "theirs", "namespace": where}})
    site.leave(placement)
    metadata = site.client.get("Namespace", where)["metadata"]
    assert "deletionTimestamp" not in metadata
    assert "headroom.dev/tenant" not in metadata.get("labels", {})
    assert metadata.get("annotations", {}) == {}
    assert site.client.list("ResourceQuota", namespace=where) == []
    assert site.client.get("ConfigMap", "theirs", namespace=where)


def test_leaving_deletes_our_namespace_and_nobody_elses(
    site: Site, placement: PlacementRef
) -> None:
    other = replace(placement, id=next(numbers), location=f"{placement.location}-b")
    site.settle(WANTED, placement)
    site.settle(WANTED, other)
    site.leave(placement)
    until(lambda: not site.client.list(
        "Namespace", field_selector=f"metadata.name={placement.location}"))  # fmt: skip
    assert site.differences(WANTED, other) == ()
    site.leave(other)


def test_an_object_that_was_replaced_meanwhile_is_not_deleted(
    site: Site, placement: PlacementRef
) -> None:
    site.settle(WANTED, placement)
    less = limits({key: value for key, value in PLAN.items() if "@" not in key}, policy=POLICY)
    changes = [change for change in site.differences(less, placement) if change.desired is None]
    stale = replace(changes[0], uid="00000000-0000-0000-0000-000000000000")
    results: list[ApplyResult] = []
    work = [PlacementChanges(placement, (stale,))]
    site.adapter.apply(target=site.target, work=work, on_result=results.append)
    assert isinstance(results[0].error, Conflict)
    assert results[0].error.retryable
    site.settle(less, placement)


def test_what_is_being_deleted_is_tried_again_later(site: Site, placement: PlacementRef) -> None:
    if site.context == "kubectl":
        pytest.skip("the emulator deletes a namespace at once, finalizers or not")
    site.settle(WANTED, placement)
    stuck = {"name": "stuck", "namespace": placement.location, "finalizers": ["example.com/wait"]}
    site.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": stuck})
    site.client.delete("Namespace", placement.location)
    until(lambda: not site.client.list("ResourceQuota", namespace=placement.location))
    try:
        assert "is being deleted" in site.see(placement).warnings[0]
        result = site.push(WANTED, placement)
        assert isinstance(result.error, ExternalError)
        assert result.error.retryable
    finally:
        free = {"metadata": {"finalizers": None}}
        site.client.patch_merge("ConfigMap", "stuck", free, namespace=placement.location)


def test_a_new_job_gets_the_plans_deadline_and_time_to_live(
    site: Site, placement: PlacementRef
) -> None:
    wanted = limits({"job.ttlSecondsAfterFinished": 600, "job.activeDeadlineSeconds": 900})
    site.settle(wanted, placement)

    def job(name: str, **spec: int) -> tuple[int | None, int | None]:
        template = {
            "spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "main", "image": "busybox"}],
            }
        }
        made = site.client.create(
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": name, "namespace": placement.location},
                "spec": {"template": template, **spec},
            }
        )["spec"]
        return made.get("ttlSecondsAfterFinished"), made.get("activeDeadlineSeconds")

    names = (f"j{number}" for number in count())
    until(lambda: job(next(names)) == (600, 900))  # the server learns new policies within seconds
    assert job("modest", ttlSecondsAfterFinished=5, activeDeadlineSeconds=30) == (5, 30)
    assert job("greedy", ttlSecondsAfterFinished=9999, activeDeadlineSeconds=9999) == (600, 900)
    for later, kept in ((9999, 900), (60, 60), (None, 900)):
        spec = {"spec": {"activeDeadlineSeconds": later}}
        raised = site.client.patch_merge("Job", "modest", spec, namespace=placement.location)
        assert raised["spec"]["activeDeadlineSeconds"] == kept


def test_a_pod_that_names_no_priority_gets_the_plans_class(
    site: Site, placement: PlacementRef
) -> None:
    for name, value in (("headroom-low", -5), ("headroom-high", 7)):
        made = {"metadata": {"name": name}, "value": value, "preemptionPolicy": "Never"}
        site.client.apply(
            {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", **made}, "test"
        )
    site.settle(limits({"pods": 50}, policy=Policy(priority_class="headroom-low")), placement)

    def pod(name: str, **spec: str) -> tuple[str | None, int | None]:
        containers = [{"name": "main", "image": "busybox"}]
        made = site.client.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": placement.location},
                "spec": {"containers": containers, **spec},
            }
        )["spec"]
        return made.get("priorityClassName"), made.get("priority")

    names = (f"p{number}" for number in count())
    until(lambda: pod(next(names)) == ("headroom-low", -5))
    assert pod("own", priorityClassName="headroom-high") == ("headroom-high", 7)


def test_a_probe_names_each_permission_that_is_missing(site: Site, poor: TargetRef) -> None:
    health = site.adapter.probe(target=poor)
    assert health.features["user"] == "member"
    assert "patch resourcequotas in all namespaces" in health.missing
    assert "delete namespaces in all namespaces" in health.missing
    assert "list pods in all namespaces" in health.missing
    assert "watch events in all namespaces" in health.missing
    assert site.adapter.probe(target=site.target).missing == ()


def test_a_dead_cluster_is_unreachable_and_every_placement_hears_of_it(
    site: Site, tmp_path: Path
) -> None:
    port = any_free()
    path = tmp_path / "kubeconfig"
    path.write_text(
        '{"apiVersion":"v1","kind":"Config","current-context":"x","users":[{"name":"x","user":{}}],'
        '"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],'
        f'"clusters":[{{"name":"x","cluster":{{"server":"http://127.0.0.1:{port}"}}}}]}}'
    )
    dead = replace(
        site.target, credential=f"kubeconfig:{path}", timeout=3.0
    )  # clock: it is not there
    placements = [
        PlacementRef(next(numbers), "acme", "lab", "kubernetes", f"gone-{index}")
        for index in range(20)
    ]
    for everything in (False, True):
        with pytest.raises(Unreachable):
            site.adapter.observe(target=dead, placements=placements, everything=everything)
    work = [
        PlacementChanges(
            placement,
            diff(site.adapter.compile(limits=WANTED, placement=placement, target=dead).objects, ()),
        )
        for placement in placements
    ]
    results: list[ApplyResult] = []
    site.adapter.apply(target=dead, work=work, on_result=results.append)
    assert len(results) == 20
    assert all(isinstance(result.error, Unreachable) and result.done == () for result in results)
