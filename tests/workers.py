"""Real workers of the sample Celery app for tests."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from deploy.demo.stack.state import ROOT
from tests.servers import Server, directory


@contextmanager
def celery_worker(
    broker: str, *queues: str, name: str = "sample@test", processes: int = 2
) -> Iterator[Server]:
    """A prefork worker of the sample app that consumes `queues` and sends events; started."""
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
                    "deploy.demo.workloads.celery_tasks",
                    "worker",
                    "-E",
                ),
                *("-Q", ",".join(queues), "-n", name, "-c", str(processes)),
                *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
            ),
            env={"PYTHONPATH": str(ROOT), "HEADROOM_DEMO_CELERY": broker},
            log=log,
            ready=probes.log_says(log, " ready."),
        )
        server = Server(part)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def until(ready: Callable[[], object], *, seconds: float = 60) -> None:
    """Waits until something is so; fails the test when it does not come about."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
