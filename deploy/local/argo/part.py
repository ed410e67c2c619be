"""The emulated workflow controller as a part of the demo's stack."""

import signal
import sys
from pathlib import Path

from deploy.local import probes
from deploy.local.parts import Part
from deploy.local.state import ROOT, State

NAME = "argo"


def part(state: State, kubeconfig: Path, *, after: tuple[str, ...]) -> Part:
    """It stands by, and says so, where the cluster has a real Argo."""
    log = state.logs / "argo.log"
    return Part(
        name=NAME,
        argv=(
            *(sys.executable, "-m", "deploy.local.argo", "--stand-by"),
            *("--kubeconfig", str(kubeconfig), "--requeue", "5"),
        ),
        env={"PYTHONPATH": str(ROOT)},
        log=log,
        ready=probes.log_says(log, "at work"),
        after=after,
        orphan_signal=signal.SIGTERM,
        note="workflows, emulated",
    )
