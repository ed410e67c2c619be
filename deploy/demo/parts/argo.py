"""The emulated workflow controller as a part of the demo's stack."""

import secrets
import signal
import sys
from pathlib import Path

from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from deploy.demo.stack.private_files import write_private
from deploy.demo.stack.state import ROOT, State

NAME = "argo"


def server_token(state: State) -> Path:
    """The file with what callers of the Argo server must know: made once, for its owner only."""
    path = state.directory / "argo-server-token"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path


def part(
    state: State, kubeconfig: Path, *, after: tuple[str, ...], server_port: int | None = None
) -> Part:
    """It stands by, and says so, where the cluster has a real Argo. With a port there is a small
    Argo server beside it, which retries and resubmits."""
    log = state.logs / "argo.log"
    server = ("--server-port", str(server_port), "--server-token-file", str(server_token(state)))
    return Part(
        name=NAME,
        argv=(
            *(sys.executable, "-m", "deploy.emulators.argo", "--stand-by"),
            *("--kubeconfig", str(kubeconfig), "--requeue", "5", "--every", "3"),
            *(server if server_port else ()),
        ),
        env={"PYTHONPATH": str(ROOT)},
        log=log,
        port=server_port,
        ready=probes.log_says(log, "at work"),
        after=after,
        orphan_signal=signal.SIGTERM,
        note="workflows, emulated",
    )
