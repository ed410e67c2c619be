"""What a tenant writes into its own namespace never stops its limits from being enforced."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from console.clients.kubernetes.calls import JSON
from console.errors import ExternalError
from tenants.contracts import PlacementRef
from tests.contract.adapter_harness import limits
from tests.contract.argo_workflows import WANTED, data_of, labels_of, used, workflow
from tests.contract.clusters import Site
from tests.mutations import mutants
from tests.recordings.recorded import cluster

MALFORMED = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: malformed-templates}
spec: {entrypoint: main, templates: [oops]}
---
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: malformed-locks}
spec:
  entrypoint: main
  synchronization: {semaphores: [headroom-limits]}
  templates: [{name: main, container: {image: "job:1"}}]
---
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: malformed-holders}
spec: {entrypoint: main, templates: [{name: main, container: {image: "job:1"}}]}
status:
  phase: Running
  synchronization: {semaphore: {holding: [oops]}}
  nodes: {a: oops, b: {type: Pod, children: {x: 1}, startedAt: 5}}
"""
FEWER = limits({"argo.parallelism": 2, "argo.semaphore.gpu": 1})
NONE = limits({"argo.parallelism": 0, "argo.semaphore.gpu": 1}, suspended=True)


def _malformed(site: Site, place: PlacementRef) -> int:
    """The objects of the bug reports."""
    manifests = list(yaml.safe_load_all(MALFORMED))
    for manifest in manifests:
        site.client.create(
            {**manifest, "metadata": {**manifest["metadata"], "namespace": place.location}}
        )
    return len(manifests)


def _mutated(site: Site, place: PlacementRef) -> int:
    """A sample of what the API server takes of a mutated Workflow."""
    taken = 0
    for number, mutant in enumerate(mutants(cluster("Workflow"), 60, seed=3)):
        if not isinstance(mutant.value, dict):
            continue
        body = {key: mutant.value.get(key) for key in ("spec", "status")}
        labels = {"workflows.argoproj.io/phase": "Pending"} if number % 2 else {}
        manifest = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": f"m{number}", "namespace": place.location, "labels": labels},
            **{key: value for key, value in body.items() if isinstance(value, dict)},
        }
        try:
            site.client.create(manifest)
        except (ExternalError, TypeError):  # refused by the server, or no JSON to begin with
            continue
        taken += 1
    assert taken > 20
    return taken


@pytest.mark.parametrize("write", [_malformed, _mutated], ids=["reported", "mutated"])
def test_its_limits_are_raised_lowered_suspended_and_taken_away(
    argo: Site, flow_place: PlacementRef, write: Callable[[Site, PlacementRef], int]
) -> None:
    argo.settle(WANTED, flow_place)
    write(argo, flow_place)
    for wanted in (FEWER, NONE, WANTED):
        argo.settle(wanted, flow_place)
    assert labels_of(argo, flow_place)["workflows.argoproj.io/parallelism-limit"] == "5"
    assert data_of(argo, flow_place) == {"gpu": "2"}
    argo.settle(limits({"argo.parallelism": 5}), flow_place)  # the lock goes: nobody holds it
    argo.leave(flow_place)
    assert "headroom.dev/tenant" not in labels_of(argo, flow_place)


def test_what_cannot_be_read_is_named_and_counts_as_using_no_lock(
    argo: Site, flow_place: PlacementRef
) -> None:
    argo.settle(WANTED, flow_place)
    _malformed(argo, flow_place)
    observation = argo.adapter.observe(
        target=argo.target, placements=[flow_place], everything=False
    )
    assert sorted((item.kind, item.location, item.name) for item in observation.unreadable) == [
        ("Workflow", flow_place.location, f"malformed-{name}")
        for name in ("holders", "locks", "templates")
    ]
    there = observation.placements[flow_place.id]
    assert used(there, "argo.semaphore.gpu") == (2, 0)
    assert there.warnings == (
        "3 workflows cannot be read: whether they use a semaphore of ours is not known, and so it"
        " counts as using none.",
    )


def _create_deep(site: Site, place: PlacementRef, levels: int) -> None:
    """A Workflow nested deeper than our own JSON may be: written as it goes over the wire."""
    spec = '{"a":' * levels + "1" + "}" * levels
    kind = '"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow"'
    body = f'{{{kind},"metadata":{{"name":"deep","namespace":"{place.location}"}},"spec":{spec}}}'
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{place.location}/workflows"

    async def post(deadline: float) -> bytes:
        return await site.client.session.send(
            "POST", path, what="create", deadline=deadline, body=body.encode(), headers=JSON
        )

    site.client.run(post)


def test_an_object_nested_too_deep_hides_no_other(argo: Site, flow_place: PlacementRef) -> None:
    argo.settle(WANTED, flow_place)
    name = workflow(argo, flow_place)
    emulated = argo.context == "kubectl"  # whose own JSON ends at a few hundred
    _create_deep(argo, flow_place, 150 if emulated else 2000)
    listed = argo.client.list("Workflow", namespace=flow_place.location)
    assert sorted(item["metadata"]["name"] for item in listed) == sorted(["deep", name])
    argo.settle(FEWER, flow_place)
