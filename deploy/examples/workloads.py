"""Sample workloads that really run: Temporal jobs for every tenant on a shared fair queue and a
dedicated one, Kubernetes Jobs of which some hit a quota, and Celery tasks that end in every way.

Run by `make demo` as `python -m deploy.examples.workloads`; reads HEADROOM_DEMO_TEMPORAL,
HEADROOM_DEMO_KUBECONFIG and HEADROOM_DEMO_CELERY. A server that is away is waited for.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

from kubernetes import client as kube
from kubernetes import config as kube_config
from temporalio import activity
from temporalio.client import Client
from temporalio.common import Priority, SearchAttributeKey, SearchAttributePair
from temporalio.common import TypedSearchAttributes as Attributes
from temporalio.worker import Worker

from deploy.examples.cluster import create_job
from deploy.examples.flows import argo_side
from deploy.examples.sample import Sample, SampleTenant, load
from deploy.examples.senders import celery_side
from deploy.examples.workflows import Batch, SampleBatch, Step

TENANT = SearchAttributeKey.for_keyword("TenantId")
MOST_UNFINISHED_JOBS = 6


@activity.defn(name="crunch")
async def crunch(step: Step) -> int:
    """Pretends to work for about the time that the step says."""
    await asyncio.sleep(step.seconds * random.uniform(0.5, 1.5))
    return step.number


async def start_runs(client: Client, sample: Sample, tenant: SampleTenant) -> None:
    """Starts workflows of one tenant at its pace, for ever."""
    queue = tenant.queue or sample.shared_queue
    # A dedicated queue needs no key; on the shared one the key is what tells tenants apart.
    priority = Priority() if tenant.queue else Priority(fairness_key=tenant.slug)
    while True:
        await asyncio.sleep(60 / tenant.runs_per_minute * random.uniform(0.6, 1.4))
        await client.start_workflow(
            SampleBatch.run,
            Batch(tenant.slug, queue, steps=random.randint(2, 6), seconds=0.3),
            id=f"{tenant.slug}-batch-{time.time_ns():x}",
            task_queue=sample.workflow_queue,
            search_attributes=Attributes([SearchAttributePair(TENANT, tenant.slug)]),
            priority=priority,
        )


def job(tenant: SampleTenant) -> dict[str, Any]:
    """A Job whose pods run (simulated) for some seconds; one in eight ends out of memory."""
    ends = "oom" if random.random() < 0.125 else "completed"
    requests = {"cpu": tenant.job_cpu, "memory": "256Mi"}
    return {
        "metadata": {"generateName": "crunch-", "labels": {"app": "crunch"}},
        "spec": {
            "parallelism": tenant.job_pods,
            "completions": tenant.job_pods,
            "backoffLimit": 1,
            "template": {
                "metadata": {
                    "annotations": {
                        "headroom.dev/runs-for": f"{random.randint(8, 25)}s",
                        "headroom.dev/ends": ends,
                    }
                },
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {
                            "name": "crunch",
                            "image": "example.invalid/crunch:1",
                            "resources": {"requests": requests, "limits": requests},
                        }
                    ],
                },
            },
        },
    }


async def start_jobs(api: Any, tenant: SampleTenant) -> None:
    """Starts Kubernetes Jobs of one tenant at its pace, never more than a few unfinished ones."""
    batch: Any = kube.BatchV1Api(api)
    while True:
        await asyncio.sleep(60 / tenant.jobs_per_minute * random.uniform(0.6, 1.4))
        listed = await asyncio.to_thread(
            batch.list_namespaced_job, tenant.slug, label_selector="app=crunch", _request_timeout=10
        )
        unfinished = [one for one in listed.items if not one.status.completion_time]
        alive = [one for one in unfinished if not (one.status.failed or 0)]
        if len(alive) < MOST_UNFINISHED_JOBS:
            await asyncio.to_thread(create_job, api, tenant.slug, job(tenant))


async def keep(name: str, make: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    """Runs a loop again after it failed: a server that restarts must not end the demo."""
    while True:
        try:
            await make(*arguments)
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round may work
            print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:160]}", flush=True)
            await asyncio.sleep(5)


async def temporal_side(sample: Sample, address: str) -> None:
    """A worker for the workflows, one for each queue of activities, and the starters."""
    client = await Client.connect(address)
    queues = {sample.shared_queue, *(tenant.queue for tenant in sample.tenants if tenant.queue)}
    workers = [Worker(client, task_queue=sample.workflow_queue, workflows=[SampleBatch])]
    for queue in sorted(queues):
        # Eager activities would pass every limit of the queue by.
        own = await Client.connect(address)
        workers.append(
            Worker(
                own,
                task_queue=queue,
                activities=[crunch],
                max_concurrent_activities=20,
                disable_eager_activity_execution=True,
            )
        )
    starters = [
        keep(tenant.slug, start_runs, client, sample, tenant)
        for tenant in sample.tenants
        if tenant.runs_per_minute
    ]
    await asyncio.gather(*(worker.run() for worker in workers), *starters)


async def kubernetes_side(sample: Sample, kubeconfig: str) -> None:
    """The starters of Jobs."""
    untyped: Any = kube_config
    api = untyped.new_client_from_config(config_file=kubeconfig)
    starters = [
        keep(tenant.slug, start_jobs, api, tenant)
        for tenant in sample.tenants
        if tenant.jobs_per_minute
    ]
    await asyncio.gather(*starters)


async def main() -> None:
    """Runs both sides until a signal."""
    sample = load()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    sides = [
        asyncio.ensure_future(
            keep("temporal", temporal_side, sample, os.environ["HEADROOM_DEMO_TEMPORAL"])
        ),
        asyncio.ensure_future(
            keep("kubernetes", kubernetes_side, sample, os.environ["HEADROOM_DEMO_KUBECONFIG"])
        ),
        asyncio.ensure_future(celery_side(sample, keep)),
        asyncio.ensure_future(
            keep("argo", argo_side, sample, os.environ["HEADROOM_DEMO_KUBECONFIG"], keep)
        ),
    ]
    await stop.wait()
    for side in sides:
        side.cancel()
    await asyncio.gather(*sides, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
    # The Temporal SDK's threads can crash the interpreter on its way out; there is nothing left
    # to do, so leave without it.
    os._exit(0)
