"""A worker of a tenant's app that starts again knows no limits: it is told them as it comes online,
through event, trail, queue and sweep, with nothing that looks from time to time."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from console.clients.celery.client import CeleryClient
from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from tenants.models import Target
from tests.faults.installation import Installation
from tests.faults.processes import ROOT
from tests.servers import Server
from tests.waiting import until
from tests.workers import celery_worker

HOST = "app@comes-back"


def _ingest(installation: Installation) -> Server:
    log = installation.home / "ingest.log"
    part = Part(
        name="ingest",
        argv=(sys.executable, str(Path(ROOT) / "manage.py"), "ingest"),
        env={
            **installation.environment(ARCHIVE_URL=(installation.home / "archive").as_uri()),
            "PYTHONPATH": str(ROOT),
        },
        log=log,
        ready=probes.log_says(log, "ingest.started"),
        stop_timeout=60.0,
    )
    server = Server(part)
    installation.stack.callback(server.kill)
    server.start()
    return server


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
    _ingest(installation)
    client = CeleryClient(app)
    for _ in range(2):  # one that is new, and the same one again
        with celery_worker(app, tenant.slug, name=HOST, processes=1):
            until(lambda: _limited(client), what=f"{_rates(client)}\n{installation.logs()}")
