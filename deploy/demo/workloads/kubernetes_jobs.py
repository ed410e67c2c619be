"""Sample Kubernetes Jobs that end in every way, and the loop that starts them for each tenant."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from kubernetes import client as kube
from kubernetes import config as kube_config

from deploy.demo.sample import Sample, SampleTenant
from deploy.demo.workloads.namespaces import create_job

MOST_UNFINISHED: Final = 10


@dataclass(frozen=True, slots=True)
class Kind:
    """How Jobs of a kind go: `seconds` their (simulated) pods run, how those end, what they ask
    for ("": the tenant's usual), what else their spec says, and how often they come."""

    weight: int
    seconds: tuple[int, int] = (6, 18)
    ends: str = "completed"
    cpu: str = ""
    spec: tuple[tuple[str, Any], ...] = ()


KINDS: Final = {
    "crunch": Kind(6),
    "resize": Kind(2, ends="oom", spec=(("backoffLimit", 1),)),
    "import": Kind(2, seconds=(3, 6), ends="error", spec=(("backoffLimit", 2),)),
    # Runs longer than it may.
    "scan": Kind(1, seconds=(90, 120), spec=(("activeDeadlineSeconds", 20),)),
    # More than any quota here has left: its pods are refused until its time is over.
    "simulate": Kind(1, cpu="15", spec=(("activeDeadlineSeconds", 50),)),
    # Removes itself as soon as it is done.
    "vacuum": Kind(3, seconds=(2, 5), spec=(("ttlSecondsAfterFinished", 15),)),
}


def job(tenant: SampleTenant, name: str) -> dict[str, Any]:
    """One Job of a kind."""
    kind = KINDS[name]
    requests = {"cpu": kind.cpu or tenant.job_cpu, "memory": "256Mi"}
    annotations = {
        "headroom.dev/runs-for": f"{random.randint(*kind.seconds)}s",
        "headroom.dev/ends": kind.ends,
    }
    container = {
        "name": name,
        "image": f"example.invalid/{name}:1",
        "resources": {"requests": requests, "limits": requests},
    }
    return {
        "metadata": {"generateName": f"{name}-", "labels": {"app": name, "kind": "sample"}},
        "spec": {
            "parallelism": tenant.job_pods,
            "completions": tenant.job_pods,
            "backoffLimit": 1,
            **dict(kind.spec),
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"restartPolicy": "Never", "containers": [container]},
            },
        },
    }


def unfinished(api: Any, namespace: str) -> int:
    """How many of the sample's Jobs are under way there."""
    batch: Any = kube.BatchV1Api(api)
    listed = batch.list_namespaced_job(namespace, label_selector="kind=sample", _request_timeout=10)
    over = {"Complete", "Failed"}
    return sum(
        not any(
            condition.type in over and condition.status == "True"
            for condition in item.status.conditions or ()
        )
        for item in listed.items
    )


async def start_jobs(api: Any, tenant: SampleTenant) -> None:
    """Starts Jobs of one tenant: one of every kind, then at its pace, a few at a time."""
    for name in KINDS:
        await asyncio.to_thread(create_job, api, tenant.slug, job(tenant, name))
        await asyncio.sleep(random.uniform(0.5, 1.5))
    weights = [kind.weight for kind in KINDS.values()]
    while True:
        await asyncio.sleep(60 / tenant.jobs_per_minute * random.uniform(0.6, 1.4))
        if await asyncio.to_thread(unfinished, api, tenant.slug) < MOST_UNFINISHED:
            (name,) = random.choices(list(KINDS), weights)
            await asyncio.to_thread(create_job, api, tenant.slug, job(tenant, name))


async def kubernetes_side(
    sample: Sample, kubeconfig: str, keep: Callable[..., Awaitable[None]]
) -> None:
    """The starters of Jobs."""
    untyped: Any = kube_config
    api = untyped.new_client_from_config(config_file=kubeconfig)
    starters = [
        keep(f"{tenant.slug} (jobs)", start_jobs, api, tenant)
        for tenant in sample.tenants
        if tenant.jobs_per_minute
    ]
    await asyncio.gather(*starters)
