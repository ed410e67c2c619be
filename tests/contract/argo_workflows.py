"""Argo Workflows as the adapter's tests see them: what is there, and Workflows as left behind."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from quotas.enforcement.ports import Observed
from tenants.contracts import PlacementRef
from tests.contract.adapter_harness import limits
from tests.contract.clusters import Site

PLAN: dict[str, int | None] = {"argo.parallelism": 5, "argo.semaphore.gpu": 2}
WANTED = limits(PLAN)
LABEL = "workflows.argoproj.io/parallelism-limit"
PATH = f"metadata.labels[{LABEL}]"


def labels_of(site: Site, place: PlacementRef) -> dict[str, str]:
    labels: dict[str, str] = site.client.get("Namespace", place.location)["metadata"]["labels"]
    return labels


def data_of(site: Site, place: PlacementRef) -> dict[str, str]:
    manifest = site.client.get("ConfigMap", "headroom-limits", namespace=place.location)
    data: dict[str, str] = manifest.get("data") or {}
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


def used(observed: Observed, key: str) -> tuple[int | None, int | None]:
    usage = next(item for item in observed.usage if item.key == key)
    return usage.hard, usage.used
