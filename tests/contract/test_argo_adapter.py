"""Argo Workflows over a cluster, emulated and real: its label, its locks, and who else writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from console.errors import Conflict, ExternalError
from deploy.local.argo.definition import definition
from quotas.enforcement.ports import Observed, Operation
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.clusters import Site, numbers, until
from tests.contract.planes import limits

PLAN: dict[str, int | None] = {"argo.parallelism": 5, "argo.semaphore.gpu": 2}
WANTED = limits(PLAN)
LABEL = "workflows.argoproj.io/parallelism-limit"
PATH = f"metadata.labels[{LABEL}]"


@pytest.fixture(scope="module")
def argo(site: Site) -> Site:
    """The cluster as an Argo target, with the kind served and probed."""
    site.client.apply(definition(), "test", force=True)

    def served() -> bool:
        return "argoproj.io/v1alpha1/Workflow" in site.client.probe().kinds

    until(served)
    target = replace(site.target, kind="argo", slug="argo", features={})
    plane = replace(site, target=target)
    health = plane.adapter.probe(target=target)
    return replace(plane, target=replace(target, features=health.features))


@pytest.fixture
def place(argo: Site) -> Iterator[PlacementRef]:
    """A namespace that nobody has made yet; it is gone afterwards."""
    name = f"flow-{uuid4().hex[:8]}"
    yield PlacementRef(next(numbers), "acme", "argo", "argo", name)
    argo.client.delete("Namespace", name)


def labels_of(site: Site, place: PlacementRef) -> dict[str, str]:
    labels: dict[str, str] = site.client.get("Namespace", place.location)["metadata"]["labels"]
    return labels


def data_of(site: Site, place: PlacementRef) -> dict[str, str]:
    found = site.client.get("ConfigMap", "headroom-limits", namespace=place.location)
    data: dict[str, str] = found.get("data") or {}
    return data


def workflow(site: Site, place: PlacementRef, **status: Any) -> str:
    """A Workflow as a controller would have left it; its name."""
    name = f"wf-{uuid4().hex[:6]}"
    phase = status.get("phase", "Running")
    semaphores = status.pop("semaphores", [])
    site.client.create(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {
                "name": name,
                "namespace": place.location,
                "labels": {
                    "workflows.argoproj.io/phase": phase,
                    "workflows.argoproj.io/completed": "false",
                },
            },
            "spec": {"entrypoint": "main", "synchronization": {"semaphores": semaphores}},
            "status": {"phase": phase, **status},
        }
    )
    return name


def holding(place: PlacementRef, key: str, *holders: str) -> dict[str, Any]:
    lock = f"{place.location}/ConfigMap/headroom-limits/{key}"
    return {"semaphore": {"holding": [{"semaphore": lock, "holders": list(holders)}]}}


def used(seen: Observed, key: str) -> tuple[int | None, int | None]:
    found = next(item for item in seen.usage if item.key == key)
    return found.hard, found.used


def test_a_new_placement_gets_its_namespace_its_label_and_its_locks(
    argo: Site, place: PlacementRef
) -> None:
    first = argo.push(WANTED, place)
    assert first.error is None
    assert [change.ref.kind for change in first.done] == ["Namespace", "ConfigMap"]
    argo.settle(WANTED, place)
    assert labels_of(argo, place)[LABEL] == "5"
    assert labels_of(argo, place)["headroom.dev/tenant"] == "acme"
    assert data_of(argo, place) == {"gpu": "2"}


def test_the_kubernetes_adapter_and_this_one_share_a_namespace_without_losing_fields(
    site: Site, argo: Site, place: PlacementRef
) -> None:
    quota = limits({"pods": 3})
    site.settle(quota, place)
    argo.settle(WANTED, place)
    site.settle(limits({"pods": 4}), place)
    argo.settle(limits({**PLAN, "argo.parallelism": 7}), place)
    assert site.differences(limits({"pods": 4}), place) == ()
    labels = labels_of(argo, place)
    assert (labels[LABEL], labels["pod-security.kubernetes.io/enforce"]) == ("7", "baseline")
    argo.leave(place)
    labels = labels_of(argo, place)
    assert LABEL not in labels
    assert labels["headroom.dev/tenant"] == "acme"
    assert site.differences(limits({"pods": 4}), place) == ()


def test_leaving_takes_label_and_locks_away_but_not_the_namespace(
    argo: Site, place: PlacementRef
) -> None:
    argo.settle(WANTED, place)
    argo.leave(place)
    assert LABEL not in labels_of(argo, place)
    listed = argo.client.list("ConfigMap", namespace=place.location)
    assert "headroom-limits" not in [item["metadata"]["name"] for item in listed]


def test_a_namespace_of_somebody_else_is_not_labelled_until_it_is_adopted(
    argo: Site, place: PlacementRef
) -> None:
    argo.client.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.location}}
    )
    refused = argo.push(WANTED, place)
    assert isinstance(refused.error, Conflict)
    assert refused.done == ()
    assert LABEL not in labels_of(argo, place)
    argo.settle(WANTED, place, force=True)
    assert labels_of(argo, place)[LABEL] == "5"


def test_an_edited_label_and_an_edited_lock_name_their_editor(
    argo: Site, place: PlacementRef
) -> None:
    argo.settle(WANTED, place)
    where = ("--field-manager=kubectl-edit", "--type=merge", "-p")
    argo.kubectl(
        "patch",
        "namespace",
        place.location,
        *where,
        f'{{"metadata":{{"labels":{{"{LABEL}":"50"}}}}}}',
    )
    argo.kubectl(
        *("-n", place.location, "patch", "configmap", "headroom-limits"),
        *(*where, '{"data":{"gpu":"9"}}'),
    )
    changes = argo.differences(WANTED, place, everything=True)
    said = {
        item.path: (item.before, item.after, item.owner.manager if item.owner else "")
        for change in changes
        for item in change.fields
    }
    assert said == {PATH: ("50", "5", "kubectl-edit"), "data[gpu]": ("9", "2", "kubectl-edit")}
    refused = argo.push(WANTED, place)
    assert isinstance(refused.error, Conflict)
    assert "kubectl-edit" in refused.error.message
    argo.settle(WANTED, place, force=True)


def test_a_key_that_somebody_added_is_named_and_survives(argo: Site, place: PlacementRef) -> None:
    argo.settle(WANTED, place)
    argo.kubectl(
        *("-n", place.location, "patch", "configmap", "headroom-limits", "--type=merge"),
        *("-p", '{"data":{"theirs":"4"}}'),
    )
    seen = argo.see(place)
    assert argo.compare(WANTED, place, seen) == ()
    assert "theirs" in seen.foreign[0]
    argo.settle(limits({**PLAN, "argo.semaphore.gpu": 3}), place)
    assert data_of(argo, place) == {"gpu": "3", "theirs": "4"}


def test_a_key_that_is_held_stays_until_nobody_holds_it(argo: Site, place: PlacementRef) -> None:
    argo.settle(limits({**PLAN, "argo.semaphore.licence": 1}), place)
    name = workflow(argo, place, synchronization=holding(place, "gpu", f"{place.location}/a"))
    less = limits({"argo.parallelism": 5, "argo.semaphore.licence": 4})
    held = argo.push(less, place)
    assert isinstance(held.error, ExternalError)
    assert (held.error.code, held.error.retryable) == ("lock_held", True)
    assert f"gpu by {place.location}/a" in held.error.message
    assert data_of(argo, place) == {"gpu": "2", "licence": "4"}
    argo.client.delete("Workflow", name, namespace=place.location)
    argo.settle(less, place)
    assert data_of(argo, place) == {"licence": "4"}


def test_the_locks_of_a_leaving_tenant_stay_while_they_are_held(
    argo: Site, place: PlacementRef
) -> None:
    argo.settle(WANTED, place)
    name = workflow(argo, place, synchronization=holding(place, "gpu", f"{place.location}/a"))
    leaving = replace(place, leaving=True)
    held = argo.push(None, leaving)
    assert isinstance(held.error, ExternalError)
    assert held.error.code == "lock_held"
    assert data_of(argo, place) == {"gpu": "2"}
    assert LABEL not in labels_of(argo, place)
    argo.client.delete("Workflow", name, namespace=place.location)
    argo.leave(place)


def test_use_is_our_own_count_of_what_holds_a_slot(argo: Site, place: PlacementRef) -> None:
    argo.settle(WANTED, place)
    lock = f"{place.location}/ConfigMap/headroom-limits/gpu"
    ref = {"configMapKeyRef": {"name": "headroom-limits", "key": "gpu"}}
    workflow(argo, place, semaphores=[ref], synchronization=holding(place, "gpu", "x/a", "x/b"))
    workflow(argo, place)
    waits = f"Waiting for {lock} lock. Lock status: 0/2"
    workflow(argo, place, phase="Pending", message=waits, semaphores=[ref])
    queued = "Workflow processing has been postponed because too many workflows are already running"
    workflow(argo, place, phase="Pending", message=queued)
    seen = argo.see(place)
    assert used(seen, "argo.parallelism") == (5, 3)
    assert used(seen, "argo.semaphore.gpu") == (2, 2)
    assert "1 workflow waits for a slot." in seen.warnings
    assert any("enforced for 2 of 4 running workflows" in text for text in seen.warnings)
    swept = argo.see(place, everything=True)
    assert used(swept, "argo.parallelism") == (5, 3)
    assert used(swept, "argo.semaphore.gpu") == (2, None)


def test_unlimited_is_said_and_no_limit_is_the_controllers_default(
    argo: Site, place: PlacementRef
) -> None:
    argo.settle(limits({"argo.parallelism": None}), place)
    assert labels_of(argo, place)[LABEL] == "0"
    assert used(argo.see(place), "argo.parallelism") == (None, 0)
    argo.settle(limits({}), place)
    assert LABEL not in labels_of(argo, place)
    changes = argo.differences(limits({"argo.parallelism": None}), place)
    assert [change.operation for change in changes] == [Operation.UPDATE]


def test_a_sweep_lists_each_kind_once(argo: Site, place: PlacementRef) -> None:
    other = replace(place, id=next(numbers))
    argo.settle(WANTED, place)
    seen = argo.adapter.observe(target=argo.target, placements=[place, other], everything=True)
    assert seen.reads == 4
    assert place.location not in {ref.name for ref in seen.orphans}


def test_a_sweep_names_what_belongs_to_no_placement(argo: Site, place: PlacementRef) -> None:
    argo.settle(WANTED, place)
    seen = argo.adapter.observe(target=argo.target, placements=[], everything=True)
    assert place.location in {ref.name for ref in seen.orphans}


def test_a_probe_says_what_is_there_and_what_we_may_not(argo: Site) -> None:
    health = argo.adapter.probe(target=argo.target)
    assert health.missing == ()
    assert health.features["workflows_served"] is True
    assert (health.version, health.features["controller"]) == ("emulated", "emulated")


def test_somebody_without_rights_is_told_which_are_missing(argo: Site, poor: TargetRef) -> None:
    target = replace(poor, kind="argo", features={})
    health = argo.adapter.probe(target=target)
    assert any(text.startswith("list workflows.argoproj.io") for text in health.missing)
    assert health.version == "unknown"
