"""The sample Celery app of the demo: a worker of its own for each tenant that has a task queue."""

import signal
import sys
from collections.abc import Mapping

from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from deploy.demo.stack.state import State

# Queue by name of the part; as in deploy/demo/sample.yaml.
WORKERS = {"tasks-acme": "acme-tasks", "tasks-stark": "stark-tasks"}
PROCESSES = 2
# Celery's default of 2 is made for a screen that shows heartbeats; each is read and stored.
HEARTBEAT_SECONDS = 10
# Not the rest: it is Headroom's own, secrets and all, and makes an app that has nothing to do with
# it load all of Headroom.
VARIABLES = ("PYTHONPATH", "HEADROOM_DEMO_CELERY")
# Celery sets up Django, and with it all of Headroom, where whoever starts the demo has this set.
NO_DJANGO = {"DJANGO_SETTINGS_MODULE": ""}


def parts(state: State, env: Mapping[str, str], *, after: tuple[str, ...]) -> list[Part]:
    """Prefork workers: a task may kill the process that runs it, and its worker survives."""
    return [_worker(state, env, name, queue, after) for name, queue in WORKERS.items()]


def _worker(
    state: State, env: Mapping[str, str], name: str, queue: str, after: tuple[str, ...]
) -> Part:
    log = state.logs / f"{name}.log"
    return Part(
        name=name,
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
            *("-Q", queue, "-n", f"{name}@sample", "-c", str(PROCESSES)),
            *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
            *("--heartbeat-interval", str(HEARTBEAT_SECONDS)),
        ),
        env={name: env[name] for name in VARIABLES} | NO_DJANGO,
        log=log,
        ready=probes.log_says(log, " ready."),
        after=after,
        stop_timeout=8.0,
        # Its processes would stay behind if it were killed.
        orphan_signal=signal.SIGQUIT,
        note="sample tasks",
    )
