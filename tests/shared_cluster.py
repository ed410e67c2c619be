"""One control plane for a whole test run, whatever the number of pytest-xdist workers.

The first worker that asks starts this module as a process of its own; it ends when the run does.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from deploy.demo.stack.processes import identify, log_tail
from tests.servers import Cluster, ServerError, kube_control_plane, skip_if_forbidden

PATIENCE = 300.0  # three servers start one after the other
# Users for tests of RoleBindings: their groups by name.
USERS = {"member": ("team-acme",), "outsider": ("team-other",)}


def attach(home: Path, owner: int) -> Cluster:
    """The cluster of the run that owns `home`, started if need be; `owner` is the run's pid."""
    ready, log = home / "cluster.json", home / "cluster.log"
    with (home / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            start(ready, log, owner)
        content = json.loads(ready.read_text())
    return Cluster(**{**content["cluster"], "kubeconfig": Path(content["cluster"]["kubeconfig"])})


def start(ready: Path, log: Path, owner: int) -> None:
    """Start the holder and wait for its answer."""
    skip_if_forbidden()
    with log.open("wb") as stream:
        holder = subprocess.Popen(
            [sys.executable, "-m", "tests.shared_cluster", str(ready), str(owner)],
            cwd=Path(__file__).parent.parent,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    deadline = time.monotonic() + PATIENCE
    while not ready.exists():
        if holder.poll() is not None or time.monotonic() > deadline:
            holder.kill()
            message = f"the shared cluster did not start:\n{log_tail(log, 20)}"
            raise ServerError(message)
        time.sleep(0.05)  # clock: between looks


def detach(home: Path) -> None:
    """Stop the cluster of the run, if one was started, and wait until it is gone."""
    try:
        pid = int(json.loads((home / "cluster.json").read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return
    holder = identify(pid)
    if holder is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while holder.alive() and time.monotonic() < deadline:
            time.sleep(0.05)  # clock: between looks


def hold(ready: Path, owner: int) -> None:
    """Run a control plane until the owner is gone or we are asked to stop."""
    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    run = identify(owner)
    with kube_control_plane(users=USERS) as plane:
        content = {"pid": os.getpid(), "cluster": asdict(plane.cluster)}
        part = ready.with_suffix(".part")
        part.write_text(json.dumps(content, default=str))
        part.replace(ready)
        while run is not None and run.alive() and not signals:
            time.sleep(0.1)  # clock: between looks


if __name__ == "__main__":
    hold(Path(sys.argv[1]), int(sys.argv[2]))
