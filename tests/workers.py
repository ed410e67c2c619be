"""Real workers of the sample Celery app for tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from console.clients.celery import control
from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from deploy.demo.stack.state import ROOT
from tests.servers import Server, directory

ANSWER_SECONDS = 5.0  # clock: asking everybody lasts that long; who is asked by name ends it
"""While a worker of ours runs, it has so long to answer remote control."""


SAMPLE = "deploy.demo.workloads.celery_tasks"
ODD = "tests.observability.engines.celery.odd_app"


@contextmanager
def celery_worker(
    broker: str,
    *queues: str,
    name: str = "sample@test",
    processes: int = 2,
    app: str = SAMPLE,
    more: Sequence[str] = (),
) -> Iterator[Server]:
    """A worker of the sample app (or another one) that consumes `queues` and sends events; started.
    It is a prefork one unless `more` words say otherwise."""
    with directory("celery") as home:
        log = home / "worker.log"
        part = Part(
            name="sample-worker",
            argv=(
                *(
                    sys.executable,
                    "-m",
                    "celery",
                    "-A",
                    app,
                    "worker",
                    "-E",
                ),
                *("-Q", ",".join(queues), "-n", name, "-c", str(processes)),
                *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
                *more,
            ),
            env={"PYTHONPATH": str(ROOT), "HEADROOM_DEMO_CELERY": broker, "BROKER": broker},
            log=log,
            ready=probes.log_says(log, " ready."),
        )
        server = Server(part)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(control, "WAIT", ANSWER_SECONDS)
            try:
                server.start()
                yield server
            finally:
                server.stop()
