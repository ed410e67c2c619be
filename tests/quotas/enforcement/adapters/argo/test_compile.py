"""Limits as Argo can say them, in the order in which nobody slips through."""

from __future__ import annotations

from typing import Any

import pytest

from quotas.enforcement.adapters.argo.adapter import ArgoAdapter
from quotas.enforcement.adapters.argo.apply import in_order
from quotas.enforcement.adapters.argo.compile import compiled
from quotas.enforcement.adapters.argo.locks import bindings, has_slot
from quotas.enforcement.adapters.argo.names import CLOSED_PATH, LIMIT_PATH
from quotas.enforcement.ports import Change, Compiled, FieldChange, ObjectRef, Operation
from tenants.adapters.argo import controller_namespace
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.adapter_harness import limits

PLACE = PlacementRef(1, "acme", "lab", "argo", "acme")
TARGET = TargetRef(1, "lab", "argo", "", "in-cluster")


def compile_(values: dict[str, int | None], **more: Any) -> Compiled:
    return compiled(limits(values, **more), PLACE, TARGET)


def fields(result: Compiled, kind: str) -> dict[str, Any]:
    return dict(next(item.fields for item in result.objects if item.ref.kind == kind))


def test_a_limit_is_a_label_and_a_lock_a_key() -> None:
    result = compile_({"argo.parallelism": 5, "argo.semaphore.gpu": 2, "pods": 3})
    assert fields(result, "Namespace")[LIMIT_PATH] == 5
    assert fields(result, "ConfigMap")["data[gpu]"] == 2
    assert result.refusals == ()
    assert {key for item in result.objects for key in item.limits} == {
        "argo.parallelism",
        "argo.semaphore.gpu",
    }


@pytest.mark.parametrize("value", [0, None])
def test_a_semaphore_that_argo_cannot_say_is_refused_and_not_written(value: int | None) -> None:
    result = compile_({"argo.semaphore.gpu": value, "argo.semaphore.licence": 3})
    assert [(refusal.key, refusal.code) for refusal in result.refusals] == [
        ("argo.semaphore.gpu", "not_expressible")
    ]
    assert "data[gpu]" not in fields(result, "ConfigMap")
    assert fields(result, "ConfigMap")["data[licence]"] == 3
    alone = compile_({"argo.semaphore.gpu": value})
    assert [item.ref.kind for item in alone.objects] == ["Namespace"]


@pytest.mark.parametrize(
    ("values", "suspended"),
    [
        ({"argo.parallelism": 0}, False),
        ({"argo.parallelism": 5}, True),
        ({"argo.parallelism": None}, True),
        ({}, True),
    ],
)
def test_where_none_may_start_a_quota_says_so_and_the_label_is_only_a_brake(
    values: dict[str, int | None], suspended: bool
) -> None:
    result = compile_(values, suspended=suspended)
    assert fields(result, "ResourceQuota")[CLOSED_PATH] == 0
    assert fields(result, "Namespace")[LIMIT_PATH] == 1
    assert result.refusals == ()
    assert "as a brake only" in result.warnings[0]
    paths = {key: path for item in result.objects for key, path in item.limits.items()}
    assert paths == ({"argo.parallelism": CLOSED_PATH} if values else {})


def test_whoever_may_start_has_no_quota_of_ours() -> None:
    for value in (1, None):
        result = compile_({"argo.parallelism": value})
        assert [item.ref.kind for item in result.objects] == ["Namespace"]
        assert result.warnings == ()


def test_unlimited_parallelism_is_said_because_no_label_means_the_default() -> None:
    assert fields(compile_({"argo.parallelism": None}), "Namespace")[LIMIT_PATH] == 0
    assert LIMIT_PATH not in fields(compile_({}), "Namespace")


def label(before: str, after: str, operation: Operation = Operation.UPDATE) -> Change:
    """A change of the namespace's label, wanted as it stands in a compiled plan."""
    ref = ObjectRef("Namespace", "", "acme")
    wanted = compile_({"argo.parallelism": 5}).objects[0]
    return Change(operation, ref, (FieldChange(LIMIT_PATH, before, after),), wanted)


QUOTA = Change(Operation.CREATE, ObjectRef("ResourceQuota", "acme", "headroom-argo"))
LOCK = Change(Operation.UPDATE, ObjectRef("ConfigMap", "acme", "headroom-limits"), (), None, 1)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (label("5", "9"), ["ConfigMap", "Namespace"]),
        (label("5", "unlimited"), ["ConfigMap", "Namespace"]),
        (label("9", "5"), ["Namespace", "ConfigMap"]),
        (label("unlimited", "5"), ["Namespace", "ConfigMap"]),
        (label("", "5"), ["Namespace", "ConfigMap"]),
        (label("", "5", Operation.CREATE), ["Namespace", "ConfigMap"]),
    ],
)
def test_a_rising_limit_goes_to_the_lock_first_and_a_falling_one_to_the_label(
    change: Change, kinds: list[str]
) -> None:
    assert [step.ref.kind for step in in_order([change, LOCK])] == kinds
    assert [step.ref.kind for step in in_order([LOCK, change])] == kinds
    create = change.operation is Operation.CREATE
    expected = ["Namespace", "ResourceQuota", "ConfigMap"] if create else ["ResourceQuota", *kinds]
    assert [step.ref.kind for step in in_order([LOCK, change, QUOTA])] == expected


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ({"phase": "Running"}, True),
        ({"phase": "Pending", "message": "Waiting for a/Mutex/b lock. Lock status: 0/1"}, True),
        ({"phase": "Pending", "message": "Workflow processing has been postponed"}, False),
        ({"phase": "Pending", "message": "Waiting for a PVC to be created."}, False),
        ({}, False),
    ],
)
def test_whoever_waits_for_a_lock_has_a_slot(status: dict[str, str], counts: bool) -> None:
    assert has_slot({"status": status}) is counts


def test_a_lock_of_another_namespace_or_map_is_not_ours() -> None:
    def semaphore(name: str, **more: str) -> dict[str, Any]:
        return {"configMapKeyRef": {"name": name, "key": "gpu"}, **more}

    workflows: list[dict[str, Any]] = [
        {"spec": {"synchronization": {"semaphores": [semaphore("headroom-limits")]}}},
        {"spec": {"synchronization": {"semaphores": [semaphore("theirs")]}}},
        {
            "spec": {
                "templates": [
                    {
                        "synchronization": {
                            "semaphores": [semaphore("headroom-limits", namespace="globex")]
                        }
                    }
                ]
            }
        },
        {"spec": {"templates": [{"synchronization": {"semaphore": semaphore("headroom-limits")}}]}},
    ]
    locks = bindings(workflows, "acme")
    assert (locks["gpu"].naming, locks["gpu"].unfinished) == (2, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, ""),
        (
            {
                "argo_server": "https://argo.example:2746",
                "argo_server_token": "env:HEADROOM_CRED_ARGO",
            },
            "",
        ),
        ({"argo_server": "argo:2746"}, "argo_server: 'argo:2746' is not accepted"),
        ({"argo_server": 7}, "argo_server: 7 is not accepted"),
        (
            {"argo_server": "http://a", "argo_server_token": "ey.secret"},
            "argo_server_token: use a reference",
        ),
        ({"argo_server_token": "env:HEADROOM_CRED_ARGO"}, "there is no argo_server"),
        ({"argo_server_ca_file": 1}, "argo_server_ca_file is the path of a file"),
        ({"argo_server_insecure": "yes"}, "argo_server_insecure is true or false"),
        ({"controller_namespace": "Argo"}, "controller_namespace: 'Argo' is not"),
        ({"ca_file": 1}, "ca_file is the path of a file"),
    ],
)
def test_a_fault_in_the_options_is_named(options: dict[str, Any], message: str) -> None:
    fault = ArgoAdapter().options_error(options)
    assert fault.startswith(message) or message in fault
    assert bool(fault) is bool(message)
    assert "ey.secret" not in fault


def test_the_controllers_own_namespace_is_nobodys() -> None:
    def fault(location: str) -> str:
        faults = ArgoAdapter().validate(
            location=location, sharing="dedicated", fairness_key="", target=TARGET
        )
        return faults.get("location", "")

    assert fault("acme") == ""
    assert "controller's" in fault("argo")
    assert "system" in fault("kube-system")
    assert controller_namespace(TARGET) == "argo"
