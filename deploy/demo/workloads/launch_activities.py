"""Activities that start jobs on other engines and say on whose behalf: how runs become one tree.

Headroom finds the starter in the annotation `headroom.dev/parent-run` (Celery: a header), and what
belongs to one request or trace by the labels beside it.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

from kubernetes import client as kube
from kubernetes import config as kube_config
from temporalio import activity

from deploy.demo.sample import SampleTenant, load
from deploy.demo.workloads.argo_workflows import GROUP, workflow
from deploy.demo.workloads.celery_tasks import build_report
from deploy.demo.workloads.kubernetes_jobs import job
from deploy.demo.workloads.temporal_workflows import Launch

PARENT: Final = "headroom.dev/parent-run"
REQUEST: Final = "headroom.dev/request-id"
TRACE: Final = "headroom.dev/trace-id"


def _tenant(slug: str) -> SampleTenant:
    return next(tenant for tenant in load().tenants if tenant.slug == slug)


def _api() -> Any:
    untyped: Any = kube_config
    return untyped.new_client_from_config(config_file=os.environ["HEADROOM_DEMO_KUBECONFIG"])


def _belongs(metadata: dict[str, Any], launch: Launch) -> None:
    """A run key and a trace id are too long for a label, or hold what a label may not."""
    metadata.setdefault("labels", {})[REQUEST] = launch.request
    metadata.setdefault("annotations", {}).update({PARENT: launch.parent, TRACE: launch.trace})


@activity.defn
async def launch_job(launch: Launch) -> str:
    """Creates a Kubernetes Job in the tenant's namespace; its name."""
    body = job(_tenant(launch.tenant), "crunch")
    _belongs(body["metadata"], launch)

    def create() -> str:
        batch: Any = kube.BatchV1Api(_api())
        made = batch.create_namespaced_job(launch.tenant, body, _request_timeout=10)
        return str(made.metadata.name)

    name = await asyncio.to_thread(create)
    for second in range(1, 4):
        activity.heartbeat({"done": second, "total": 3, "job": name})
        await asyncio.sleep(0.5)
    return name


@activity.defn
async def launch_flow(launch: Launch) -> str:
    """Creates an Argo Workflow in the tenant's namespace; its name."""
    body = workflow(launch.tenant, "etl")
    _belongs(body["metadata"], launch)

    def create() -> str:
        objects: Any = kube.CustomObjectsApi(_api())
        made = objects.create_namespaced_custom_object(
            *GROUP, launch.tenant, "workflows", body, _request_timeout=10
        )
        return str(made["metadata"]["name"])

    return await asyncio.to_thread(create)


@activity.defn
async def launch_task(launch: Launch) -> str:
    """Sends a Celery task to the tenant's queue; its id."""
    headers = {
        "headroom_tenant": launch.tenant,
        "headroom_parent_run": launch.parent,
        "headroom_request_id": launch.request,
        "headroom_trace_id": launch.trace,
    }
    queue = _tenant(launch.tenant).task_queue

    def send() -> str:
        sent = build_report.apply_async((4, 0.3), queue=queue, headers=headers)
        return str(sent.id)

    return await asyncio.to_thread(send)
