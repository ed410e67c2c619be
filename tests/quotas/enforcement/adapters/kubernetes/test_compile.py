"""What a plan becomes in a namespace, before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.enforcement.adapters.kubernetes.adapter import KubernetesAdapter
from quotas.enforcement.adapters.kubernetes.fields import read
from quotas.enforcement.diff import diff
from quotas.enforcement.ports import Compiled, DesiredObject, ObservedObject
from quotas.plans.contracts import EffectiveLimits, Policy
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.adapter_harness import limits

ADAPTER = KubernetesAdapter()
TARGET = TargetRef(1, "lab", "kubernetes", "", "env:K", features={"execution_policy": True})
PLACEMENT = PlacementRef(1, "acme", "lab", "kubernetes", "acme-prod", group="team-acme")


def compiled(
    wanted: EffectiveLimits | None,
    placement: PlacementRef = PLACEMENT,
    target: TargetRef = TARGET,
) -> Compiled:
    """What the adapter makes of it."""
    return ADAPTER.compile(limits=wanted, placement=placement, target=target)


def one(result: Compiled, kind: str, name: str = "") -> DesiredObject:
    """The object of a kind."""
    (match,) = [
        item for item in result.objects if item.ref.kind == kind and name in ("", item.ref.name)
    ]
    return match


def kinds(result: Compiled) -> list[str]:
    """The kinds of all objects."""
    return sorted(item.ref.kind for item in result.objects)


@pytest.mark.parametrize(
    ("key", "value", "resource", "written"),
    [
        ("requests.cpu", 1_500, "requests.cpu", "1500m"),
        ("limits.cpu", 40_000, "limits.cpu", "40"),
        ("requests.memory", 12 * 2**30, "requests.memory", "12Gi"),
        ("requests.ephemeral-storage", 10**9, "requests.ephemeral-storage", "1G"),
        ("requests.hugepages-2Mi", 2**22, "requests.hugepages-2Mi", "4Mi"),
        ("requests.nvidia.com/gpu", 8, "requests.nvidia.com/gpu", "8"),
        ("requests.storage", 2**40, "requests.storage", "1Ti"),
        ("gold.storageclass.storage.k8s.io/requests.storage", 0,
         "gold.storageclass.storage.k8s.io/requests.storage", "0"),
        ("gpu.deviceclass.resource.k8s.io/devices", 2,
         "gpu.deviceclass.resource.k8s.io/devices", "2"),
        ("count/jobs.batch", 1_000, "count/jobs.batch", "1k"),
        ("count/workflows.argoproj.io", 0, "count/workflows.argoproj.io", "0"),
        ("pods", 7, "pods", "7"),
        ("services.loadbalancers", 0, "services.loadbalancers", "0"),
    ],
)  # fmt: skip
def test_every_kind_of_quota_limit_is_written_as_the_server_stores_it(
    key: str, value: int, resource: str, written: str
) -> None:
    quota = one(compiled(limits({key: value})), "ResourceQuota")
    assert quota.manifest["spec"]["hard"] == {resource: written}
    path = f"spec.hard[{resource}]"
    assert quota.fields[path] == value
    assert quota.limits == {key: path}


def test_unlimited_is_left_out_and_zero_is_said() -> None:
    quota = one(compiled(limits({"pods": None, "secrets": 0})), "ResourceQuota")
    assert quota.manifest["spec"]["hard"] == {"secrets": "0"}
    assert "ResourceQuota" not in kinds(compiled(limits({"pods": None})))


def test_each_set_of_scopes_is_a_quota_of_its_own() -> None:
    result = compiled(
        limits({"pods": 9, "pods@Terminating": 5, "requests.cpu@PriorityClass=high,low": 1_000})
    )
    quotas = {item.ref.name: item.manifest["spec"] for item in result.objects
              if item.ref.kind == "ResourceQuota"}  # fmt: skip
    assert len(quotas) == 3
    assert quotas["headroom"] == {"hard": {"pods": "9"}}
    assert quotas["headroom-terminating"]["scopeSelector"] == {
        "matchExpressions": [{"scopeName": "Terminating", "operator": "Exists"}]
    }
    (named,) = [spec for name, spec in quotas.items() if "priorityclass" in name]
    assert named["scopeSelector"]["matchExpressions"] == [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["high", "low"]}
    ]


def test_everything_carries_both_labels() -> None:
    result = compiled(limits({"requests.cpu": 1_000, "pods@Terminating": 1}))
    assert kinds(result) == [
        "LimitRange", "Namespace", "NetworkPolicy", "ResourceQuota", "ResourceQuota", "RoleBinding",
    ]  # fmt: skip
    for item in result.objects:
        labels = item.manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "headroom"
        assert labels["headroom.dev/tenant"] == "acme"


def test_suspending_says_no_pods_and_changes_nothing_else() -> None:
    wanted = limits({"pods": 9, "requests.cpu": 1_000, "pods@Terminating": 3})
    before, after = compiled(wanted), compiled(replace(wanted, suspended=True))
    changed = [
        (old.ref.name, {path for path in new.fields if new.fields[path] != old.fields.get(path)})
        for old, new in zip(before.objects, after.objects, strict=True)
        if old.fields != new.fields
    ]
    assert changed == [("headroom", {"spec.hard[pods]"})]
    assert one(after, "ResourceQuota", "headroom").manifest["spec"]["hard"]["pods"] == "0"


def test_suspending_a_tenant_without_quota_makes_one() -> None:
    result = compiled(replace(limits({}), suspended=True))
    assert one(result, "ResourceQuota").manifest["spec"]["hard"] == {"pods": "0"}


@pytest.mark.parametrize("wanted", [None, limits({"pods": 1})])
def test_a_leaving_placement_wants_nothing(wanted: EffectiveLimits | None) -> None:
    assert compiled(wanted, replace(PLACEMENT, leaving=True)) == Compiled()


def test_no_limits_at_all_want_nothing() -> None:
    assert compiled(None) == Compiled()


def test_limits_of_other_planes_are_not_this_ones_business() -> None:
    result = compiled(limits({"temporal.queue_rate": 1_000}))
    assert result.refusals == ()
    assert "ResourceQuota" not in kinds(result)


# -- LimitRange ------------------------------------------------------------------------------


def ranges(values: dict[str, int | None]) -> dict[str, dict[str, Any]]:
    """LimitRange type to its entry."""
    result = compiled(limits(values))
    return {item["type"]: item for item in one(result, "LimitRange").manifest["spec"]["limits"]}


def test_a_limit_range_says_what_the_plan_says() -> None:
    entries = ranges(
        {
            "container.default.cpu": 500,
            "container.defaultRequest.memory": 2**27,
            "container.maxLimitRequestRatio.cpu": 1_500,
            "pod.max.cpu": 4_000,
            "pvc.min.storage": 2**30,
        }
    )
    assert entries["Container"] == {
        "type": "Container",
        "default": {"cpu": "500m"},
        "defaultRequest": {"cpu": "500m", "memory": "128Mi"},
        "maxLimitRequestRatio": {"cpu": "1500m"},
    }
    assert entries["Pod"] == {"type": "Pod", "max": {"cpu": "4"}}
    assert entries["PersistentVolumeClaim"]["min"] == {"storage": "1Gi"}


def test_a_quota_on_cpu_or_memory_always_comes_with_defaults_and_says_so() -> None:
    result = compiled(limits({"requests.cpu": 4_000, "limits.memory": 2**33}))
    (item,) = one(result, "LimitRange").manifest["spec"]["limits"]
    assert item["defaultRequest"] == {"cpu": "100m", "memory": "256Mi"}
    assert item["default"] == {"memory": "256Mi"}
    assert any("container.defaultRequest.cpu" in warning for warning in result.warnings)
    assert any("container.default.memory" in warning for warning in result.warnings)


def test_made_up_defaults_stay_inside_the_plans_own_bounds() -> None:
    (item,) = ranges(
        {
            "requests.cpu": 4_000,
            "limits.cpu": 9_000,
            "container.min.cpu": 700,
            "requests.memory": 2**33,
            "container.max.memory": 2**26,
        }
    ).values()
    assert item["default"]["cpu"] == "700m"
    assert item["defaultRequest"]["cpu"] == "700m"
    assert item["defaultRequest"]["memory"] == "64Mi"


def test_without_quota_and_ranges_there_is_no_limit_range() -> None:
    assert "LimitRange" not in kinds(compiled(limits({"pods": 3})))


# -- execution policy ------------------------------------------------------------------------

EXECUTION = limits(
    {"job.ttlSecondsAfterFinished": 600, "job.activeDeadlineSeconds": 900},
    policy=Policy(priority_class="batch-low"),
)


def test_the_execution_policy_is_said_in_annotations() -> None:
    result = compiled(EXECUTION)
    namespace = one(result, "Namespace")
    assert namespace.manifest["metadata"]["annotations"] == {
        "headroom.dev/ttl-seconds-after-finished": "600",
        "headroom.dev/active-deadline-seconds": "900",
        "headroom.dev/priority-class": "batch-low",
    }
    assert set(namespace.limits) == set(EXECUTION.limits)
    assert result.refusals == ()


def test_a_cluster_that_cannot_run_the_policy_refuses_it_and_says_why() -> None:
    features = {"execution_policy": False, "execution_policy_why": "it is not served"}
    result = compiled(EXECUTION, target=replace(TARGET, features=features))
    assert "annotations" not in one(result, "Namespace").manifest["metadata"]
    assert {item.key for item in result.refusals} == {*EXECUTION.limits, "priority_class"}
    assert all("it is not served" in item.message for item in result.refusals)


def test_a_cluster_nobody_asked_yet_gets_a_warning() -> None:
    assert "not known yet" in compiled(EXECUTION, target=replace(TARGET, features={})).warnings[0]


# -- what is read is what was written ----------------------------------------------------------

VALUES = st.dictionaries(
    st.sampled_from(
        [
            "requests.cpu", "limits.cpu", "requests.memory", "limits.memory", "pods",
            "count/jobs.batch", "requests.storage", "requests.nvidia.com/gpu", "pods@Terminating",
            "container.default.cpu", "container.max.cpu", "container.min.memory",
            "pod.max.memory", "pvc.max.storage", "job.activeDeadlineSeconds",
        ]
    ),
    st.one_of(st.none(), st.integers(1, 2**53)),
)  # fmt: skip


@given(VALUES, st.booleans())
def test_reading_back_what_was_written_leaves_nothing_to_do(
    values: dict[str, int | None], suspended: bool
) -> None:
    result = compiled(limits(values, suspended=suspended))
    there = [
        ObservedObject(item.ref, *read({"metadata": {}, **item.manifest}, item.ref.kind))
        for item in result.objects
    ]
    assert diff(result.objects, there) == ()


# -- validation --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "acme-prod", "a1", "x" * 63])
def test_a_dns_label_is_a_good_namespace(name: str) -> None:
    faults = ADAPTER.validate(location=name, sharing="dedicated", fairness_key="", target=TARGET)
    assert faults == {}


@pytest.mark.parametrize(
    "name",
    ["", "Acme", "a.b", "-a", "a-", "x" * 64, "kube-system", "kube-x", "default", "system", "a\n"],
)
def test_a_namespace_that_is_no_label_or_the_systems_is_refused(name: str) -> None:
    faults = ADAPTER.validate(location=name, sharing="dedicated", fairness_key="", target=TARGET)
    assert set(faults) == {"location"}


def test_a_namespace_is_never_shared() -> None:
    faults = ADAPTER.validate(location="acme", sharing="shared", fairness_key="a", target=TARGET)
    assert set(faults) == {"sharing", "fairness_key"}
