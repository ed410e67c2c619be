"""Sample Argo Workflows of every ending, and the loop that starts them for each tenant.

Where the cluster has a real Argo they are its to run: nothing here needs our small controller but
the annotations by which simulated nodes know how long a pod runs and how it ends.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import uuid4

from kubernetes import client as kube
from kubernetes import config as kube_config
from kubernetes.client.exceptions import ApiException

from deploy.demo.sample import Sample, SampleTenant
from deploy.demo.workloads.namespaces import FORBIDDEN, LABEL, is_ours

Obj = dict[str, Any]
GROUP: Final = ("argoproj.io", "v1alpha1")
UNFINISHED: Final = "workflows.argoproj.io/completed!=true"
MOST_UNFINISHED: Final = 12
REQUEST: Final = "headroom.dev/request-id"
TRACE: Final = "headroom.dev/trace-id"
KEPT_SECONDS: Final = 3600


def task(name: str, *, seconds: int = 5, ends: str = "completed", **more: Any) -> Obj:
    """A template of one container that (simulated) runs so long and ends so."""
    annotations = {"headroom.dev/runs-for": f"{seconds}s", "headroom.dev/ends": ends}
    resources = {"cpu": "100m", "memory": "128Mi"}
    extra = more.pop("annotations", {})
    return {
        "name": name,
        "metadata": {"annotations": {**annotations, **extra}},
        "container": {
            "image": f"example.invalid/{name}:1",
            "resources": {"requests": resources, "limits": resources},
        },
        **more,
    }


def call(name: str, template: str = "", **more: Any) -> Obj:
    """A step or a task that runs a template, of its own name unless said otherwise."""
    return {"name": name, "template": template or name, **more}


def steps(*groups: list[Obj]) -> Obj:
    """The entry of a workflow of steps."""
    return {"name": "main", "steps": list(groups)}


def _etl() -> Obj:
    parts = call("part", "transform", withItems=["north", "south", "west"])
    entry = steps([call("extract")], [parts], [call("load")])
    return {"templates": [entry, task("extract"), task("transform", seconds=7), task("load")]}


def _training() -> Obj:
    tasks = [
        call("prepare"),
        call("train-a", "train", dependencies=["prepare"]),
        call("train-b", "train", dependencies=["prepare"]),
        call("compare", dependencies=["train-a", "train-b"]),
    ]
    entry = {"name": "main", "dag": {"tasks": tasks}}
    return {"templates": [entry, task("prepare"), task("train", seconds=11), task("compare")]}


def _flaky() -> Obj:
    again = {"limit": "3", "backoff": {"duration": "3", "factor": 2}}
    fetch = task("fetch", retryStrategy=again, annotations={"headroom.dev/fails-first": "2"})
    return {"templates": [steps([call("fetch")], [call("store")]), fetch, task("store")]}


def _hopeless() -> Obj:
    fetch = task("fetch", ends="error", retryStrategy={"limit": "1"})
    return {"templates": [steps([call("fetch")]), fetch]}


def _broken() -> Obj:
    """Its exit handler runs all the same."""
    failing = task("validate", ends="error")
    return {
        "templates": [steps([call("extract")], [call("validate")]), task("extract"), failing,
                      task("notify", seconds=2)],
        "onExit": "notify",
    }  # fmt: skip


def _hungry() -> Obj:
    return {"templates": [steps([call("aggregate")]), task("aggregate", ends="oom")]}


def _licensed() -> Obj:
    """More of these than the tenant's semaphore lets in wait for it."""
    lock = {"configMapKeyRef": {"name": "headroom-limits", "key": "licence"}}
    return {
        "templates": [steps([call("solve")]), task("solve", seconds=20)],
        "synchronization": {"semaphores": [lock]},
    }


def _reviewed() -> Obj:
    wait = {"name": "approve", "suspend": {"duration": "60s"}}
    entry = steps([call("draft")], [call("approve")], [call("publish")])
    return {"templates": [entry, task("draft"), wait, task("publish")]}


def _late() -> Obj:
    entry = steps([call("scan")])
    return {"templates": [entry, task("scan", seconds=60)], "activeDeadlineSeconds": 15}


SHAPES: Final[dict[str, tuple[Callable[[], Obj], int]]] = {
    "etl": (_etl, 4),
    "training": (_training, 3),
    "flaky": (_flaky, 2),
    "hopeless": (_hopeless, 1),
    "broken": (_broken, 1),
    "hungry": (_hungry, 1),
    "licensed": (_licensed, 3),
    "reviewed": (_reviewed, 1),
    "late": (_late, 1),
}
"""What is started, and how often relative to the others."""


def workflow(tenant: str, shape: str) -> Obj:
    """One Workflow, labelled so that it is found with what belongs to it."""
    spec = SHAPES[shape][0]()
    request = uuid4().hex[:12]
    return {
        "apiVersion": "/".join(GROUP),
        "kind": "Workflow",
        "metadata": {
            "generateName": f"{shape}-",
            "labels": {LABEL: tenant, REQUEST: request, "app": shape},
            "annotations": {TRACE: uuid4().hex},
        },
        "spec": {
            "entrypoint": "main",
            "podMetadata": {"labels": {LABEL: tenant, REQUEST: request}},
            "ttlStrategy": {"secondsAfterCompletion": KEPT_SECONDS},
            **spec,
        },
    }


def create(api: Any, tenant: str, shape: str) -> bool:
    """Starts one. False: the namespace is not ours, enough is under way there, or the tenant may
    not have it, being suspended or at its limit."""
    objects: Any = kube.CustomObjectsApi(api)
    place = (*GROUP, tenant, "workflows")
    if not is_ours(api, tenant):
        return False
    listed = objects.list_namespaced_custom_object(
        *place, label_selector=UNFINISHED, _request_timeout=10
    )
    if len(listed["items"]) >= MOST_UNFINISHED:
        return False
    try:
        objects.create_namespaced_custom_object(
            *place, workflow(tenant, shape), _request_timeout=10
        )
    except ApiException as error:
        if error.status == FORBIDDEN:
            return False
        raise
    return True


async def start_flows(api: Any, tenant: SampleTenant) -> None:
    """Starts workflows of one tenant at its pace: at first one of every shape, then at random."""
    for shape in SHAPES:
        await asyncio.to_thread(create, api, tenant.slug, shape)
        await asyncio.sleep(random.uniform(0.5, 2))
    weights = [weight for _, weight in SHAPES.values()]
    while True:
        await asyncio.sleep(60 / tenant.flows_per_minute * random.uniform(0.6, 1.4))
        (shape,) = random.choices(list(SHAPES), weights)
        await asyncio.to_thread(create, api, tenant.slug, shape)


async def argo_side(sample: Sample, kubeconfig: str, keep: Callable[..., Awaitable[None]]) -> None:
    """The starters of Workflows."""
    untyped: Any = kube_config
    api = untyped.new_client_from_config(config_file=kubeconfig)
    starters = [
        keep(f"{tenant.slug} (argo)", start_flows, api, tenant)
        for tenant in sample.tenants
        if tenant.flows_per_minute
    ]
    await asyncio.gather(*starters)
