"""Kubernetes, emulated and real: what the loop relies on really happens there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from console.clients import pool
from console.clients.kubernetes.client import KubernetesClient
from console.errors import Conflict, ExternalError, Refused, Unreachable
from deploy.local.emulator.server import Emulator
from deploy.local.ports import any_free
from quotas.enforcement.diff import diff
from quotas.enforcement.ports import ObservedObject, Operation, Result, Work
from quotas.plans.contracts import NetworkException, Policy
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.planes import Plane, limits
from tests.servers import Cluster

PLAN: dict[str, int | None] = {
    "requests.cpu": 4_000,
    "requests.memory": 8 * 2**30,
    "limits.cpu": 8_000,
    "pods": 20,
    "count/jobs.batch": 10,
    "services.loadbalancers": 0,
    "requests.nvidia.com/gpu": None,
    "pods@Terminating": 5,
    "requests.cpu@PriorityClass=low": 1_500,
    "container.default.cpu": 250,
    "container.max.memory": 2**31,
    "container.min.cpu": 10,
    "container.maxLimitRequestRatio.cpu": 10_500,
    "pod.max.cpu": 4_000,
    "pvc.max.storage": 2**33,
}
POLICY = Policy(
    pod_security="baseline",
    network_exceptions=(
        NetworkException("api", "egress", cidr="10.0.0.0/8", ports=(("TCP", 443),)),
        NetworkException("gateway", "ingress", namespace="gateway"),
    ),
)
WANTED = limits(PLAN, policy=POLICY)
HARD = "spec.hard[requests.cpu]"
numbers = count(1)


@dataclass(frozen=True)
class Site(Plane):
    """A cluster, with a client of its own and kubectl."""

    kubeconfig: Path
    context: str

    @property
    def client(self) -> KubernetesClient:
        """An administrator who is not Headroom."""
        return pool.kubernetes(f"kubeconfig:{self.kubeconfig}", timeout=15.0)

    def kubectl(self, *args: str) -> str:
        """Run kubectl as somebody with a terminal would."""
        program = Path(sys.executable).with_name("kubectl")
        reach = (f"--kubeconfig={self.kubeconfig}", f"--context={self.context}")
        done = subprocess.run([program, *reach, *args], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def edit(self, placement: PlacementRef, patch: str) -> None:
        """What `kubectl edit quota headroom` does."""
        self.kubectl(
            *("-n", placement.location, "patch", "resourcequota", "headroom", "--type=merge"),
            *("--field-manager=kubectl-edit", "-p", patch),
        )

    def pod(self, placement: PlacementRef) -> str:
        """Start a pod that asks for nothing; its name. Raises Refused."""
        name = f"p-{uuid4().hex[:8]}"
        self.client.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": placement.location},
                "spec": {"containers": [{"name": "main", "image": "busybox"}]},
            }
        )
        return name

    def quota(self, placement: PlacementRef) -> dict[str, Any]:
        """Our quota as stored."""
        return self.client.get("ResourceQuota", "headroom", namespace=placement.location)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(
    scope="module", params=["emulator", pytest.param("real", marks=pytest.mark.cluster)]
)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Each cluster in turn, probed and prepared."""
    if request.param == "real":
        cluster: Cluster = request.getfixturevalue("kube")
        path, context = cluster.kubeconfig, "headroom-local"
    else:
        running: Emulator = request.getfixturevalue("emulator")
        path = running.kubeconfig(tmp_path_factory.mktemp("emulator") / "kubeconfig")
        context = "kubectl"
    target = TargetRef(1, "lab", "kubernetes", "", f"kubeconfig:{path}")
    plane = Site(target, path, context)
    health = plane.adapter.probe(target=target)
    plane.adapter.prepare(target=target)
    return replace(plane, target=replace(target, features=health.features))


@pytest.fixture
def poor(site: Site, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TargetRef:
    """The same cluster as a user with no rights at all."""
    if site.context == "kubectl":
        running: Emulator = request.getfixturevalue("emulator")
        url, token = running.url, running.add_user("member", groups=("team-acme",))
    else:
        cluster: Cluster = request.getfixturevalue("kube")
        url, token = cluster.url, cluster.tokens["member"]
    monkeypatch.setenv("POOR_TOKEN", token)
    return replace(
        site.target,
        endpoint=url,
        credential="env:POOR_TOKEN",
        options={"insecure_skip_tls_verify": True},
    )


@pytest.fixture
def placement(site: Site) -> Iterator[PlacementRef]:
    """A namespace that nobody has made yet; it is gone afterwards."""
    number = next(numbers)
    name = f"acme-{uuid4().hex[:8]}"
    yield PlacementRef(number, "acme", "lab", "kubernetes", name, group="team-acme")
    site.client.delete("Namespace", name)


def until(check: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for controllers to do their part."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def enforced(site: Site, placement: PlacementRef, resource: str, amount: str) -> None:
    """Wait until the API server enforces an amount."""
    until(lambda: site.quota(placement).get("status", {}).get("hard", {}).get(resource) == amount)


def found(site: Site, placement: PlacementRef, kind: str) -> ObservedObject:
    """Our object of a kind, as observed."""
    return next(one for one in site.see(placement).objects if one.ref.kind == kind)


def test_onboarding_makes_everything_and_a_second_look_finds_nothing_to_do(
    site: Site, placement: PlacementRef
) -> None:
    first = site.push(WANTED, placement)
    assert first.error is None
    kinds = [change.ref.kind for change in first.done]
    assert sorted(set(kinds)) == [
        "LimitRange", "Namespace", "NetworkPolicy", "ResourceQuota", "RoleBinding",
    ]  # fmt: skip
    assert kinds.count("ResourceQuota") == 3
    assert first.calls == len(kinds)
    site.settle(WANTED, placement)
    labels = site.client.get("Namespace", placement.location)["metadata"]["labels"]
    assert labels["headroom.dev/tenant"] == "acme"
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"


def test_a_changed_limit_is_one_changed_object(site: Site, placement: PlacementRef) -> None:
    site.settle(WANTED, placement)
    more = limits({**PLAN, "requests.cpu": 6_500}, policy=POLICY)
    (change,) = site.differences(more, placement)
    assert [(item.path, item.before, item.after, item.key) for item in change.fields] == [
        (HARD, "4 cores", "6.5 cores", "requests.cpu")
    ]
    site.settle(more, placement)
    enforced(site, placement, "requests.cpu", "6500m")


def test_an_edit_by_kubectl_is_seen_with_its_owner_and_healed_only_by_force(
    site: Site, placement: PlacementRef
) -> None:
    site.settle(WANTED, placement)
    site.edit(placement, '{"spec":{"hard":{"requests.cpu":"9"}}}')
    (change,) = site.differences(WANTED, placement, everything=True)
    (field,) = change.fields
    assert (field.path, field.before, field.after) == (HARD, "9 cores", "4 cores")
    assert field.owner is not None
    assert (field.owner.manager, field.owner.declarative) == ("kubectl-edit", False)
    refused = site.push(WANTED, placement)
    assert isinstance(refused.error, Conflict)
    assert refused.error.owners == {HARD: "kubectl-edit"}
    assert site.quota(placement)["spec"]["hard"]["requests.cpu"] == "9"
    site.settle(WANTED, placement, force=True)
    assert site.quota(placement)["spec"]["hard"]["requests.cpu"] == "4"


def test_a_field_that_a_controller_applies_is_a_conflict_that_names_it(
    site: Site, placement: PlacementRef
) -> None:
    site.settle(WANTED, placement)
    foreign = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "headroom", "namespace": placement.location},
        "spec": {"hard": {"pods": "99"}},
    }
    site.client.apply(foreign, "argocd", force=True)
    (change,) = site.differences(WANTED, placement)
    assert change.fields[0].owner is not None
    assert change.fields[0].owner.declarative is True
    refused = site.push(WANTED, placement)
    assert isinstance(refused.error, Conflict)
    assert refused.error.owners == {"spec.hard[pods]": "argocd"}
    assert "argocd" in refused.error.message
    site.settle(WANTED, placement, force=True)


def test_an_entry_that_somebody_added_is_named_and_only_force_removes_it(
    site: Site, placement: PlacementRef
) -> None:
    site.settle(WANTED, placement)
    site.edit(placement, '{"spec":{"hard":{"secrets":"3"}}}')
    refused = site.push(WANTED, placement)
    assert isinstance(refused.error, Conflict)
    assert refused.error.owners == {"spec.hard[secrets]": "kubectl-edit"}
    site.settle(WANTED, placement, force=True)
    assert "secrets" not in site.quota(placement)["spec"]["hard"]


def test_a_label_that_was_torn_off_is_put_back(site: Site, placement: PlacementRef) -> None:
    site.settle(WANTED, placement)
    site.kubectl("label", "namespace", placement.location, "app.kubernetes.io/managed-by-")
    (change,) = site.differences(WANTED, placement, everything=True)
    assert change.operation is Operation.UPDATE
    assert found(site, placement, "Namespace").ours
    site.settle(WANTED, placement)


def test_suspending_refuses_new_pods_and_resuming_lets_them_in(
    site: Site, placement: PlacementRef
) -> None:
    wanted = limits({"pods": 2})
    site.settle(wanted, placement)
    enforced(site, placement, "pods", "2")
    running = site.pod(placement)
    site.settle(limits({"pods": 2}, suspended=True), placement)
    enforced(site, placement, "pods", "0")
    with pytest.raises(Refused, match="exceeded quota: headroom"):
        site.pod(placement)
    assert site.client.get("Pod", running, namespace=placement.location)
    site.settle(wanted, placement)
    enforced(site, placement, "pods", "2")
    assert site.pod(placement)


def test_use_comes_from_the_quota_and_is_counted_again(site: Site, placement: PlacementRef) -> None:
    wanted = limits({"pods": 5, "requests.cpu": 1_000, "container.defaultRequest.cpu": 200})
    site.settle(wanted, placement)
    enforced(site, placement, "pods", "5")
    site.pod(placement)

    def used() -> bool:
        usage = {one.key: one for one in site.see(placement).usage}
        return usage["pods"].used == 1 and usage["requests.cpu"].used == 200

    until(used)
    usage = {one.key: one for one in site.see(placement).usage}
    assert (usage["requests.cpu"].hard, usage["requests.cpu"].recounted) == (1_000, 200)
    assert (usage["pods"].hard, usage["pods"].recounted) == (5, 1)
    swept = {one.key: one for one in site.see(placement, everything=True).usage}
    assert swept["requests.cpu"].used == 200
    assert swept["requests.cpu"].recounted is None


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
        found = site.client.get(
            "ResourceQuota", "gke-resource-quotas", namespace=placement.location
        )
        return "pods" in found.get("status", {}).get("hard", {})

    until(filled)
    enforced(site, placement, "pods", "20")
    for everything in (False, True):
        seen = site.see(placement, everything=everything)
        assert seen.foreign == ("ResourceQuota gke-resource-quotas: pods 7, services 5",)
        assert {one.key: one.hard for one in seen.usage}["pods"] == 7
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
    changes = [one for one in site.differences(less, placement) if one.desired is None]
    stale = replace(changes[0], uid="00000000-0000-0000-0000-000000000000")
    results: list[Result] = []
    work = [Work(placement, (stale,))]
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
    compiled = site.adapter.compile(limits=wanted, placement=placement, target=site.target)
    if not site.target.features["execution_policy"]:
        assert {one.key for one in compiled.refusals} == set(wanted.limits)
        return
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


def test_a_probe_names_each_permission_that_is_missing(site: Site, poor: TargetRef) -> None:
    health = site.adapter.probe(target=poor)
    assert health.features["user"] == "member"
    assert "patch resourcequotas in all namespaces" in health.missing
    assert "delete namespaces in all namespaces" in health.missing
    assert "list pods in all namespaces" in health.missing
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
    dead = replace(site.target, credential=f"kubeconfig:{path}", timeout=3.0)
    placements = [
        PlacementRef(next(numbers), "acme", "lab", "kubernetes", f"gone-{index}")
        for index in range(20)
    ]
    for everything in (False, True):
        with pytest.raises(Unreachable):
            site.adapter.observe(target=dead, placements=placements, everything=everything)
    work = [
        Work(one, diff(site.adapter.compile(limits=WANTED, placement=one, target=dead).objects, ()))
        for one in placements
    ]
    results: list[Result] = []
    site.adapter.apply(target=dead, work=work, on_result=results.append)
    assert len(results) == 20
    assert all(isinstance(one.error, Unreachable) and one.done == () for one in results)
