"""Limits as Argo can say them, in the order in which nobody slips through."""

from __future__ import annotations

from typing import Any

import pytest

from quotas.enforcement.adapters.argo import opening
from quotas.enforcement.adapters.argo.adapter import ArgoAdapter
from quotas.enforcement.adapters.argo.compile import compiled
from quotas.enforcement.adapters.argo.locks import bindings, has_slot
from quotas.enforcement.adapters.argo.names import LIMIT_PATH
from quotas.enforcement.adapters.argo.write import in_order
from quotas.enforcement.ports import Change, Compiled, FieldChange, ObjectRef, Operation
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.planes import limits

PLACE = PlacementRef(1, "acme", "lab", "argo", "acme")
TARGET = TargetRef(1, "lab", "argo", "", "in-cluster")


def compile_(values: dict[str, int | None], **more: Any) -> Compiled:
    return compiled(limits(values, **more), PLACE, TARGET)


def fields(result: Compiled, kind: str) -> dict[str, Any]:
    return dict(next(one.fields for one in result.objects if one.ref.kind == kind))


def test_a_limit_is_a_label_and_a_lock_a_key() -> None:
    result = compile_({"argo.parallelism": 5, "argo.semaphore.gpu": 2, "pods": 3})
    assert fields(result, "Namespace")[LIMIT_PATH] == 5
    assert fields(result, "ConfigMap")["data[gpu]"] == 2
    assert result.refusals == ()
    assert {key for one in result.objects for key in one.limits} == {
        "argo.parallelism",
        "argo.semaphore.gpu",
    }


@pytest.mark.parametrize(
    ("key", "value", "kind", "path", "set_instead"),
    [
        ("argo.parallelism", 0, "Namespace", LIMIT_PATH, 1),
        ("argo.semaphore.gpu", 0, "ConfigMap", "data[gpu]", 1),
        ("argo.semaphore.gpu", None, "ConfigMap", "data[gpu]", 2**31 - 1),
    ],
)
def test_what_argo_cannot_say_is_refused_and_nothing_is_let_in_meanwhile(
    key: str, value: int | None, kind: str, path: str, set_instead: int
) -> None:
    result = compile_({key: value})
    assert [(one.key, one.code) for one in result.refusals] == [(key, "not_expressible")]
    assert fields(result, kind)[path] == set_instead
    if value == 0:
        assert "count/workflows.argoproj.io" in result.refusals[0].message


def test_unlimited_parallelism_is_said_because_no_label_means_the_default() -> None:
    assert fields(compile_({"argo.parallelism": None}), "Namespace")[LIMIT_PATH] == 0
    assert LIMIT_PATH not in fields(compile_({}), "Namespace")


def test_a_suspended_tenant_is_told_what_stops_its_work() -> None:
    result = compile_({"argo.parallelism": 5}, suspended=True)
    assert fields(result, "Namespace")[LIMIT_PATH] == 5
    assert "pods 0" in result.warnings[0]


def label(before: str, after: str, operation: Operation = Operation.UPDATE) -> Change:
    """A change of the namespace's label, wanted as it stands in a compiled plan."""
    ref = ObjectRef("Namespace", "", "acme")
    wanted = compile_({"argo.parallelism": 5}).objects[0]
    return Change(operation, ref, (FieldChange(LIMIT_PATH, before, after),), wanted)


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
    assert [one.ref.kind for one in in_order([change, LOCK])] == kinds
    assert [one.ref.kind for one in in_order([LOCK, change])] == kinds


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
    found = bindings(workflows, "acme")
    assert (found["gpu"].naming, found["gpu"].unfinished) == (2, 4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, ""),
        ({"argo_server": "https://argo.example:2746", "argo_server_token": "env:ARGO"}, ""),
        ({"argo_server": "argo:2746"}, "argo_server: 'argo:2746' is not accepted"),
        ({"argo_server": 7}, "argo_server: 7 is not accepted"),
        (
            {"argo_server": "http://a", "argo_server_token": "ey.secret"},
            "argo_server_token: use a reference",
        ),
        ({"argo_server_token": "env:ARGO"}, "there is no argo_server"),
        ({"controller_namespace": "Argo"}, "controller_namespace: 'Argo' is not"),
        ({"ca_file": 1}, "ca_file is the path of a file"),
    ],
)
def test_a_fault_in_the_options_is_named(options: dict[str, Any], said: str) -> None:
    fault = ArgoAdapter().fault_in(options)
    assert fault.startswith(said) or said in fault
    assert bool(fault) is bool(said)
    assert "ey.secret" not in fault


def test_the_controllers_own_namespace_is_nobodys() -> None:
    def fault(location: str) -> str:
        found = ArgoAdapter().validate(
            location=location, sharing="dedicated", fairness_key="", target=TARGET
        )
        return found.get("location", "")

    assert fault("acme") == ""
    assert "controller's" in fault("argo")
    assert "system" in fault("kube-system")
    assert opening.controller_namespace(TARGET) == "argo"
