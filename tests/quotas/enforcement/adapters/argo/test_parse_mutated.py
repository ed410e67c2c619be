"""Whatever stands in a tenant's Workflows, its limits are read, compared and written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quotas.enforcement.adapters.argo.adapter import ArgoAdapter
from quotas.enforcement.adapters.argo.apply import in_order
from quotas.enforcement.adapters.argo.locks import (
    bindings,
    has_slot,
    holders,
    phase_of,
    unreadable_workflow,
)
from quotas.enforcement.adapters.argo.parse import PlacementContents, Running, observed
from quotas.enforcement.adapters.kubernetes.items import all_unreadable
from quotas.enforcement.diff import change_json, diff
from quotas.enforcement.ports import Observed
from quotas.enforcement.rules import limit_rows, split_by_owner
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.adapter_harness import limits
from tests.fuzzing import fuzz_examples
from tests.mutations import mutants
from tests.quotas.enforcement.adapters.storable import is_storable
from tests.recordings.recorded import cluster

WANTED = limits({"argo.parallelism": 5, "argo.semaphore.gpu": 3, "argo.semaphore.licence": 1})
TARGET = TargetRef(1, "argo", "argo", "", "")
ACME = PlacementRef(2, "acme", "argo", "argo", "acme")
KINDS = ("Namespace", "ConfigMap", "ResourceQuota", "Workflow")
LOCK = "acme/ConfigMap/headroom-limits/gpu"


def recording() -> dict[str, Any]:
    """One object of each kind that the adapter reads."""
    return {kind: cluster(kind)[0] for kind in KINDS}


def read(items: dict[str, Any], *others: Any) -> Observed:
    """The placement with these objects, and other workflows beside its own."""
    workflows = [item for item in (items.get("Workflow"), *others) if isinstance(item, dict)]
    running = Running(
        slots=sum(map(has_slot, workflows)),
        queued=sum(phase_of(item) == "Pending" for item in workflows),
        bindings=bindings(workflows, "acme"),
        unreadable=tuple(filter(None, map(unreadable_workflow, workflows))),
    )
    objects = [
        item if isinstance(item := items.get(kind), dict) else None
        for kind in ("Namespace", "ConfigMap", "ResourceQuota")
    ]
    return observed(ACME, PlacementContents(objects[0], objects[1], running, objects[2]))


def settled(there: Observed) -> list[Any]:
    """What the loop makes of it: what is to be written, and all that it would store, as JSON."""
    compiled = ArgoAdapter().compile(limits=WANTED, placement=ACME, target=TARGET)
    changes = diff(compiled.objects, there.objects)
    split_by_owner(changes, there, force=False, over_edits=False)
    in_order(changes)
    rows = limit_rows(kind="argo", compiled=compiled, observed=there, limits=WANTED, applied=False)
    return [[change_json(change) for change in changes], rows, there.warnings, there.foreign]


@pytest.mark.fuzz
def test_no_mutation_stops_a_placement_from_being_read_and_written() -> None:
    for mutant in mutants([recording()], fuzz_examples()):
        items = mutant.value if isinstance(mutant.value, dict) else {}
        assert is_storable(settled(read(items))), str(mutant)
        for kind in KINDS:
            all_unreadable(kind, [items.get(kind)])


@pytest.mark.fuzz
def test_a_mutated_workflow_hides_no_holder_of_another() -> None:
    other = cluster("Workflow")[0]
    other["metadata"]["name"] = "other"
    other["status"]["synchronization"]["semaphore"]["holding"][0]["holders"] = ["acme/other"]
    for mutant in mutants([cluster("Workflow")[0]], fuzz_examples()):
        workflows = [item for item in (mutant.value, other) if isinstance(item, dict)]
        assert "acme/other" in holders(workflows, "acme")["gpu"], str(mutant)
        bound = bindings(workflows, "acme")["gpu"]
        assert bound.naming >= 1, str(mutant)
        assert bound.unfinished == len(workflows), str(mutant)


def test_a_workflow_that_cannot_be_read_is_named_and_counts_as_using_no_lock() -> None:
    strange = [
        {"metadata": {"name": "a", "namespace": "acme"}, "spec": {"templates": ["oops"]}},
        {
            "metadata": {"name": "b", "namespace": "acme"},
            "spec": {"synchronization": {"semaphores": ["headroom-limits"]}},
            "status": {"phase": "Running", "synchronization": {"semaphore": {"holding": ["oops"]}}},
        },
    ]
    problems = [problem for item in strange if (problem := unreadable_workflow(item))]
    assert [(problem.location, problem.name, problem.problem) for problem in problems] == [
        ("acme", "a", "spec.templates[0] is a text, not an object"),
        (
            "acme",
            "b",
            "spec.synchronization.semaphores[0] is a text, not an object;"
            " status.synchronization.semaphore.holding[0] is a text, not an object",
        ),
    ]
    there = read(recording(), *strange)
    gpu = next(item for item in there.usage if item.key == "argo.semaphore.gpu")
    assert (gpu.hard, gpu.used) == (2, 1)
    assert there.warnings == (
        "2 workflows cannot be read: whether they use a semaphore of ours is not known, and so it"
        " counts as using none.",
        "argo.semaphore.gpu is enforced for 1 of 3 running workflows: the others do not name the"
        " lock.",
    )


def test_the_recording_itself_can_be_read_whole() -> None:
    assert json.dumps(settled(read(recording())))
    assert unreadable_workflow(cluster("Workflow")[0]) is None
    for kind in KINDS[:3]:
        assert all_unreadable(kind, cluster(kind)) == []
