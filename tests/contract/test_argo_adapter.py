"""Argo Workflows over a cluster, emulated and real: its label, its locks, and who else writes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.errors import Conflict, ExternalError
from deploy.emulators.argo.names import VERSION
from quotas.enforcement.models import TargetState
from quotas.enforcement.ports import Operation
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.adapter_harness import limits
from tests.contract.argo_workflows import (
    LABEL,
    PATH,
    PLAN,
    WANTED,
    data_of,
    holding,
    labels_of,
    used,
    workflow,
)
from tests.contract.clusters import Site, numbers
from tests.waiting import until


def test_a_new_placement_gets_its_namespace_its_label_and_its_locks(
    argo: Site, flow_place: PlacementRef
) -> None:
    first = argo.push(WANTED, flow_place)
    assert first.error is None
    assert [change.ref.kind for change in first.done] == ["Namespace", "ConfigMap"]
    argo.settle(WANTED, flow_place)
    assert labels_of(argo, flow_place)[LABEL] == "5"
    assert labels_of(argo, flow_place)["headroom.dev/tenant"] == "acme"
    assert data_of(argo, flow_place) == {"gpu": "2"}


def test_the_kubernetes_adapter_and_this_one_share_a_namespace_without_losing_fields(
    site: Site, argo: Site, flow_place: PlacementRef
) -> None:
    quota = limits({"pods": 3})
    site.settle(quota, flow_place)
    argo.settle(WANTED, flow_place)
    site.settle(limits({"pods": 4}), flow_place)
    argo.settle(limits({**PLAN, "argo.parallelism": 7}), flow_place)
    assert site.differences(limits({"pods": 4}), flow_place) == ()
    labels = labels_of(argo, flow_place)
    assert (labels[LABEL], labels["pod-security.kubernetes.io/enforce"]) == ("7", "baseline")
    argo.leave(flow_place)
    labels = labels_of(argo, flow_place)
    assert LABEL not in labels
    assert labels["headroom.dev/tenant"] == "acme"
    assert site.differences(limits({"pods": 4}), flow_place) == ()


def test_leaving_takes_label_and_locks_away_but_not_the_namespace(
    argo: Site, flow_place: PlacementRef
) -> None:
    argo.settle(WANTED, flow_place)
    argo.leave(flow_place)
    assert LABEL not in labels_of(argo, flow_place)
    listed = argo.client.list("ConfigMap", namespace=flow_place.location)
    assert "headroom-limits" not in [item["metadata"]["name"] for item in listed]


def test_a_namespace_of_somebody_else_is_not_labelled_until_it_is_adopted(
    argo: Site, flow_place: PlacementRef
) -> None:
    argo.client.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": flow_place.location}}
    )
    refused = argo.push(WANTED, flow_place)
    assert isinstance(refused.error, Conflict)
    assert refused.done == ()
    assert LABEL not in labels_of(argo, flow_place)
    argo.settle(WANTED, flow_place, force=True)
    assert labels_of(argo, flow_place)[LABEL] == "5"


def test_an_edited_label_and_an_edited_lock_name_their_editor(
    argo: Site, flow_place: PlacementRef
) -> None:
    argo.settle(WANTED, flow_place)
    where = ("--field-manager=kubectl-edit", "--type=merge", "-p")
    argo.kubectl(
        "patch",
        "namespace",
        flow_place.location,
        *where,
        f'{{"metadata":{{"labels":{{"{LABEL}":"50"}}}}}}',
    )
    argo.kubectl(
        *("-n", flow_place.location, "patch", "configmap", "headroom-limits"),
        *(*where, '{"data":{"gpu":"9"}}'),
    )
    changes = argo.differences(WANTED, flow_place, everything=True)
    edits = {
        item.path: (item.before, item.after, item.owner.manager if item.owner else "")
        for change in changes
        for item in change.fields
    }
    assert edits == {PATH: ("50", "5", "kubectl-edit"), "data[gpu]": ("9", "2", "kubectl-edit")}
    refused = argo.push(WANTED, flow_place)
    assert isinstance(refused.error, Conflict)
    assert "kubectl-edit" in refused.error.message
    argo.settle(WANTED, flow_place, force=True)


def test_a_key_that_somebody_added_is_named_and_survives(
    argo: Site, flow_place: PlacementRef
) -> None:
    argo.settle(WANTED, flow_place)
    argo.kubectl(
        *("-n", flow_place.location, "patch", "configmap", "headroom-limits", "--type=merge"),
        *("-p", '{"data":{"theirs":"4"}}'),
    )
    observed = argo.see(flow_place)
    assert argo.compare(WANTED, flow_place, observed) == ()
    assert "theirs" in observed.foreign[0]
    argo.settle(limits({**PLAN, "argo.semaphore.gpu": 3}), flow_place)
    assert data_of(argo, flow_place) == {"gpu": "3", "theirs": "4"}


def test_a_key_that_is_held_stays_until_nobody_holds_it(
    argo: Site, flow_place: PlacementRef
) -> None:
    argo.settle(limits({**PLAN, "argo.semaphore.licence": 1}), flow_place)
    name = workflow(
        argo, flow_place, synchronization=holding(flow_place, "gpu", f"{flow_place.location}/a")
    )
    less = limits({"argo.parallelism": 5, "argo.semaphore.licence": 4})
    held = argo.push(less, flow_place)
    assert isinstance(held.error, ExternalError)
    assert (held.error.code, held.error.retryable) == ("lock_held", True)
    assert f"gpu by {flow_place.location}/a" in held.error.message
    assert data_of(argo, flow_place) == {"gpu": "2", "licence": "4"}
    argo.client.delete("Workflow", name, namespace=flow_place.location)
    argo.settle(less, flow_place)
    assert data_of(argo, flow_place) == {"licence": "4"}


def test_the_locks_of_a_leaving_tenant_stay_while_they_are_held(
    argo: Site, flow_place: PlacementRef
) -> None:
    argo.settle(WANTED, flow_place)
    name = workflow(
        argo, flow_place, synchronization=holding(flow_place, "gpu", f"{flow_place.location}/a")
    )
    leaving = replace(flow_place, leaving=True)
    held = argo.push(None, leaving)
    assert isinstance(held.error, ExternalError)
    assert held.error.code == "lock_held"
    assert data_of(argo, flow_place) == {"gpu": "2"}
    assert LABEL not in labels_of(argo, flow_place)
    argo.client.delete("Workflow", name, namespace=flow_place.location)
    argo.leave(flow_place)


def test_use_is_our_own_count_of_what_holds_a_slot(argo: Site, flow_place: PlacementRef) -> None:
    argo.settle(WANTED, flow_place)
    lock = f"{flow_place.location}/ConfigMap/headroom-limits/gpu"
    ref = {"configMapKeyRef": {"name": "headroom-limits", "key": "gpu"}}
    workflow(
        argo, flow_place, semaphores=[ref], synchronization=holding(flow_place, "gpu", "x/a", "x/b")
    )
    workflow(argo, flow_place)
    waits = f"Waiting for {lock} lock. Lock status: 0/2"
    workflow(argo, flow_place, phase="Pending", message=waits, semaphores=[ref])
    queued = "Workflow processing has been postponed because too many workflows are already running"
    workflow(argo, flow_place, phase="Pending", message=queued)
    observed = argo.see(flow_place)
    assert used(observed, "argo.parallelism") == (5, 3)
    assert used(observed, "argo.semaphore.gpu") == (2, 2)
    assert "1 workflow waits for a slot." in observed.warnings
    assert any("enforced for 2 of 4 running workflows" in text for text in observed.warnings)
    swept = argo.see(flow_place, everything=True)
    assert used(swept, "argo.parallelism") == (5, 3)
    assert used(swept, "argo.semaphore.gpu") == (2, None)


def test_unlimited_is_said_and_no_limit_is_the_controllers_default(
    argo: Site, flow_place: PlacementRef
) -> None:
    argo.settle(limits({"argo.parallelism": None}), flow_place)
    assert labels_of(argo, flow_place)[LABEL] == "0"
    assert used(argo.see(flow_place), "argo.parallelism") == (None, 0)
    argo.settle(limits({}), flow_place)
    assert LABEL not in labels_of(argo, flow_place)
    changes = argo.differences(limits({"argo.parallelism": None}), flow_place)
    assert [change.operation for change in changes] == [Operation.UPDATE]


def test_a_sweep_lists_each_kind_once(argo: Site, flow_place: PlacementRef) -> None:
    other = replace(flow_place, id=next(numbers))
    argo.settle(WANTED, flow_place)
    observation = argo.adapter.observe(
        target=argo.target, placements=[flow_place, other], everything=True
    )
    assert observation.reads == 5
    assert flow_place.location not in {ref.name for ref in observation.orphans}


def test_a_sweep_names_what_belongs_to_no_placement(argo: Site, flow_place: PlacementRef) -> None:
    argo.settle(WANTED, flow_place)
    observation = argo.adapter.observe(target=argo.target, placements=[], everything=True)
    assert flow_place.location in {ref.name for ref in observation.orphans}


def test_a_probe_says_what_is_there_and_what_we_may_not(argo: Site) -> None:
    health = argo.adapter.probe(target=argo.target)
    assert health.missing == ()
    assert health.features["workflows_served"] is True
    assert (health.version, health.features["controller"]) == (VERSION, "definition")
    assert TargetState(version=health.version).distribution == "emulated"


def test_somebody_without_rights_is_told_which_are_missing(argo: Site, poor: TargetRef) -> None:
    target = replace(poor, kind="argo", features={})
    health = argo.adapter.probe(target=target)
    for verb in ("get", "list", "watch"):
        assert f"{verb} workflows.argoproj.io in all namespaces" in health.missing
    assert health.version == "unknown"


def test_a_lock_that_a_policy_of_the_cluster_rewrites_is_told(
    argo: Site, flow_place: PlacementRef
) -> None:
    if argo.context == "kubectl":
        pytest.skip("the emulator runs no admission policies")
    where = flow_place.location
    name = f"cap-{where}"
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps"],
    }
    cap = "[JSONPatch{op: 'replace', path: '/data/gpu', value: '1'}]"
    spec = {
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": where}},
            "resourceRules": [rule],
        },
        "matchConditions": [
            {"name": "gpu", "expression": "has(object.data) && 'gpu' in object.data"}
        ],
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": cap}}],
    }
    argo.settle(limits({"argo.parallelism": 5}), flow_place)
    for kind, content in (
        ("MutatingAdmissionPolicy", spec),
        ("MutatingAdmissionPolicyBinding", {"policyName": name}),
    ):
        version = "admissionregistration.k8s.io/v1"
        metadata = {"name": name}
        manifest = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": content}
        argo.client.apply(manifest, "test", force=True)
    tried = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "tried", "namespace": where},
        "data": {"gpu": "9"},
    }
    try:
        until(lambda: argo.client.apply(tried, "test", dry_run=True)["data"]["gpu"] == "1")
        pushed = argo.push(WANTED, flow_place)
        assert pushed.error is None
        (altered,) = pushed.altered
        assert [(item.before, item.after) for item in altered.left.fields] == [("1", "2")]
        assert altered.suspects == (f"MutatingAdmissionPolicy {name}",)
        assert [change.fields for change in argo.differences(WANTED, flow_place)] == [
            altered.left.fields
        ]
    finally:
        for kind in ("MutatingAdmissionPolicyBinding", "MutatingAdmissionPolicy"):
            argo.client.delete(kind, name)
