"""The Kubernetes emulator, for machines that have no real control plane."""

import sys
from pathlib import Path

from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from deploy.demo.stack.state import ROOT, State

NAME = "kubernetes"


def part(state: State, directory: Path, port: int) -> tuple[Part, Path]:
    """The emulator with its data in `directory`, and the kubeconfig that it writes there."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    kubeconfig = directory / "emulator.kubeconfig"
    place = ("--port", str(port), "--data", str(directory / "emulator"))
    emulator = Part(
        name=NAME,
        argv=(
            *(sys.executable, "-m", "deploy.emulators.kubernetes", *place),
            *("--kubeconfig", str(kubeconfig)),
        ),
        env={"PYTHONPATH": str(ROOT)},
        log=state.logs / f"{NAME}.log",
        port=port,
        ready=probes.accepts(port),
        stop_rank=20,
        note="emulated",
    )
    return emulator, kubeconfig
