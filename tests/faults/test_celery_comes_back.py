"""A worker of a tenant's app that starts again knows no limits: it is told them as it comes online,
through event, trail, queue and sweep, with nothing that looks from time to time."""

from __future__ import annotations

from collections.abc import Mapping

from console.clients.celery.client import CeleryClient
from tenants.models import Target
from tests.faults.installation import Installation
from tests.waiting import until
from tests.workers import celery_worker

HOST = "app@comes-back"


def _rates(client: CeleryClient) -> Mapping[str, str]:
    with client.control(wait=2) as control:  # clock: asked again and again
        task_types = control.registered(to=[HOST])
    return {task.name: task.rate_limit for task in task_types.get(HOST, ())}


def _limited(client: CeleryClient) -> bool:
    rates = set(_rates(client).values())
    return bool(rates) and rates <= {"+2.500000000/s"}


def test_a_worker_that_starts_again_is_told_its_limits(installation: Installation) -> None:
    app = installation.broker.url.removesuffix("/0") + "/5"
    target = Target.objects.create(slug="app", name="app", kind="celery", endpoint=app)
    (tenant,) = installation.tenants(1, installation.plan(celery__queue_rate=2_500))
    installation.place([tenant], target)
    installation.worker()
    installation.ingest(patience=60.0)
    client = CeleryClient(app)
    for _ in range(2):  # one that is new, and the same one again
        with celery_worker(app, tenant.slug, name=HOST, processes=1):
            until(lambda: _limited(client), what=f"{_rates(client)}\n{installation.logs()}")
