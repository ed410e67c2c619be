"""Sends the tasks of the sample Celery app at each tenant's pace, those that fail included."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from celery import chain

from deploy.demo.sample import Sample, SampleTenant
from deploy.demo.workloads.celery_tasks import (
    build_report,
    check_invoice,
    extract,
    fetch,
    load_rows,
    resize,
    train,
    transform,
)

Keep = Callable[..., Awaitable[None]]
LONG_EPOCHS = 30
AT_ONCE = 24
"""Tasks that each tenant starts with."""
REVOKED_AFTER = 6.0
"""Seconds after which somebody has seen enough of a training and revokes it."""


def report(options: dict[str, Any]) -> None:
    """Succeeds, with checkpoints."""
    build_report.apply_async((random.randint(3, 8), 0.2), **options)


def import_late(options: dict[str, Any]) -> None:
    """Succeeds at its second or third attempt; one in four gives up."""
    attempts = random.choice((2, 2, 3, 4))
    fetch.apply_async((random.choice(("erp", "crm", "bank")), attempts), **options)


def invoice(options: dict[str, Any]) -> None:
    """One in three fails."""
    amount = round(random.uniform(-40, 80), 2)
    check_invoice.apply_async((random.randint(1000, 9999), amount), **options)


def picture(options: dict[str, Any]) -> None:
    """One in three kills the process that runs it."""
    name = f"scan-{random.randint(1, 400)}.tiff"
    resize.apply_async((name,), {"fatal": random.random() < 0.34}, **options)


def pipeline(options: dict[str, Any]) -> None:
    """Three tasks, one after the other."""
    headers = options["headers"]
    steps = (extract.s(random.randint(10, 99)), transform.s(), load_rows.s())
    chain(*(step.set(queue=options["queue"]) for step in steps)).apply_async(headers=headers)


def expiring(options: dict[str, Any]) -> None:
    """Is no longer wanted by the time that a worker gets to it."""
    build_report.apply_async((1,), expires=time.time() - 1, **options)


KINDS = ((report, 6), (import_late, 4), (invoice, 5), (picture, 3), (pipeline, 3), (expiring, 1))


def send_one(tenant: SampleTenant) -> None:
    """Sends some task of one tenant."""
    options: dict[str, Any] = {
        "queue": tenant.task_queue,
        "headers": {
            "headroom_tenant": tenant.slug,
            "headroom_request_id": f"req-{time.time_ns():x}",
        },
    }
    ways, weights = zip(*KINDS, strict=True)
    random.choices(ways, weights)[0](options)


def train_a_while(tenant: SampleTenant) -> None:
    """A long task that is revoked while it runs."""
    headers = {"headroom_tenant": tenant.slug}
    options: dict[str, Any] = {"queue": tenant.task_queue, "headers": headers}
    started = train.apply_async((LONG_EPOCHS, 0.5), **options)
    time.sleep(REVOKED_AFTER)
    started.revoke(terminate=True)


async def send_tasks(tenant: SampleTenant) -> None:
    """Sends many tasks of one tenant at once, then at its pace, for ever."""
    number = 0
    for _ in range(AT_ONCE):
        await asyncio.to_thread(send_one, tenant)
        await asyncio.sleep(0.25)
    while True:
        await asyncio.sleep(60 / tenant.tasks_per_minute * random.uniform(0.6, 1.4))
        number += 1
        await asyncio.to_thread(train_a_while if number % 25 == 8 else send_one, tenant)


async def celery_side(sample: Sample, keep: Keep) -> None:
    """The senders of all tenants that have a queue for tasks."""
    senders = [
        keep(f"{tenant.slug} tasks", send_tasks, tenant)
        for tenant in sample.tenants
        if tenant.task_queue and tenant.tasks_per_minute
    ]
    await asyncio.gather(*senders)
