"""Whatever stands in a tenant's namespace, it is read, compared and told; nobody else notices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quotas.enforcement.adapters.kubernetes.adapter import KubernetesAdapter
from quotas.enforcement.adapters.kubernetes.items import all_unreadable
from quotas.enforcement.adapters.kubernetes.parse import NamespaceContents, by_namespace, observed
from quotas.enforcement.diff import change_json, diff
from quotas.enforcement.ports import Observed
from quotas.enforcement.rules import limit_rows, split_by_owner
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.adapter_harness import limits
from tests.fuzzing import fuzz_examples
from tests.mutations import mutants
from tests.quotas.enforcement.adapters.storable import is_storable
from tests.recordings.recorded import cluster

KINDS = ("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding", "Pod", "Job")
COUNTED = ("Pod", "Job", "ResourceQuota")
WANTED = limits({"requests.cpu": 4000, "pods": 20, "count/jobs.batch": 10, "limits.cpu": 8000})
TARGET = TargetRef(1, "lab", "kubernetes", "", "")
ACME = PlacementRef(1, "acme", "lab", "kubernetes", "acme", group="team-acme")
GLOBEX = PlacementRef(2, "globex", "lab", "kubernetes", "globex")


def everything(space: str = "acme") -> dict[str, list[Any]]:
    """All objects of a namespace by kind, as recorded."""
    raw = json.dumps({kind: cluster(kind) for kind in KINDS})
    listed: dict[str, list[Any]] = json.loads(raw.replace("acme", space))
    return listed


def read(listed: dict[str, list[Any]], placement: PlacementRef) -> Observed:
    """One placement among all that was listed."""
    objects = {
        kind: [item for item in items if isinstance(item, dict)] for kind, items in listed.items()
    }
    contents = by_namespace(objects).get(placement.location, NamespaceContents())
    counted = {kind: objects[kind] for kind in COUNTED}
    return observed(placement, contents, counted)


def settled(there: Observed, placement: PlacementRef) -> list[Any]:
    """What the loop makes of it: what is to be written, and all that it would store, as JSON."""
    compiled = KubernetesAdapter().compile(limits=WANTED, placement=placement, target=TARGET)
    changes = diff(compiled.objects, there.objects)
    for force in (False, True):
        split_by_owner(changes, there, force=force, over_edits=False)
    rows = limit_rows(
        kind="kubernetes", compiled=compiled, observed=there, limits=WANTED, applied=False
    )
    return [[change_json(change) for change in changes], rows, there.warnings, there.foreign]


@pytest.mark.fuzz
def test_no_mutation_stops_a_namespace_from_being_read_and_written() -> None:
    for mutant in mutants([everything()], fuzz_examples()):
        value = mutant.value if isinstance(mutant.value, dict) else {}
        listed = {kind: value[kind] if isinstance(value.get(kind), list) else [] for kind in KINDS}
        stored = settled(read(listed, ACME), ACME)
        assert is_storable(stored), str(mutant)


@pytest.mark.fuzz
def test_a_mutation_costs_no_other_tenant_anything() -> None:
    other = everything("globex")
    before = settled(read(other, GLOBEX), GLOBEX)
    assert before[0], "there is something to write"
    for mutant in mutants([everything()], fuzz_examples()):
        value = mutant.value if isinstance(mutant.value, dict) else {}
        both = {
            kind: [*(value[kind] if isinstance(value.get(kind), list) else []), *other[kind]]
            for kind in KINDS
        }
        # Use of the cluster is listed by namespace: what counts is this tenant's own.
        alone = {kind: both[kind] if kind not in COUNTED else other[kind] for kind in KINDS}
        assert settled(read(alone, GLOBEX), GLOBEX) == before, str(mutant)


def test_what_cannot_be_read_is_named_with_what_is_wrong() -> None:
    quota = cluster("ResourceQuota")[0]
    quota["spec"]["hard"] = ["oops"]
    quota["metadata"]["labels"]["headroom.dev/tenant"] = 5
    good = cluster("ResourceQuota")[1]
    (problem,) = all_unreadable("ResourceQuota", [good, quota])
    assert (problem.kind, problem.location, problem.name) == ("ResourceQuota", "acme", "headroom")
    assert problem.problem == (
        "metadata.labels.headroom.dev/tenant is a number, not a text;"
        " spec.hard is a list, not an object"
    )


def test_an_amount_that_nobody_can_mean_stops_nothing() -> None:
    listed = everything()
    listed["ResourceQuota"][0]["spec"]["hard"]["requests.cpu"] = "10e999"
    listed["ResourceQuota"].append(
        {
            "metadata": {"name": "theirs", "namespace": "acme"},
            "spec": {"hard": {"pods": "9" * 400, "requests.memory": "1e1000"}},
        }
    )
    there = read(listed, ACME)
    (update,) = [
        change
        for change in settled(there, ACME)[0]
        if change["object"] == "ResourceQuota acme/headroom"
    ]
    cpu = next(item for item in update["fields"] if item["path"] == "spec.hard[requests.cpu]")
    assert (cpu["before"], cpu["after"]) == ("10e999", "4 cores")
    assert there.foreign[0].startswith("ResourceQuota theirs: pods 999")
