"""Puts the parts of the embedded stack together: which ones, on which ports, for whom."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local import console, probes, programs
from deploy.local.argo import part as argo
from deploy.local.console import Surroundings
from deploy.local.kubernetes import ClusterFiles, ControlPlane, KubePorts
from deploy.local.parts import CannotStartError, Part
from deploy.local.state import ROOT, State
from deploy.local.temporal import TemporalPorts, temporal
from deploy.local.valkey import valkey


@dataclass(frozen=True, slots=True)
class Stack:
    """The parts, and what they know of each other."""

    parts: list[Part]
    surroundings: Surroundings


@dataclass(frozen=True, slots=True)
class Cluster:
    """The Kubernetes of this stack: `kind` is "real", "emulated" or "external"."""

    kind: str
    kubeconfig: Path
    parts: list[Part]
    needed: tuple[str, ...]  # the parts that must be ready before anyone talks to it


def assemble(state: State, web_port: int) -> Stack:
    """Everything that `make demo` runs. Raises CannotStartError with what to do."""
    chosen = state.choose_ports("valkey", "temporal", "temporal-http", "temporal-metrics")
    ui_port = state.choose_ports("temporal-ui")["temporal-ui"]
    cluster = choose_cluster(state)
    broker = valkey(
        port=chosen["valkey"],
        data=state.directory / "valkey",
        log=state.logs / "valkey.log",
    )
    jobs = temporal(
        ports=TemporalPorts(
            grpc=chosen["temporal"],
            http=chosen["temporal-http"],
            metrics=chosen["temporal-metrics"],
            ui=ui_port,
        ),
        log=state.logs / "temporal.log",
        db_file=state.directory / "temporal" / "temporal.sqlite3",
    )
    # A cluster of the user's own may have an Argo of its own, and an Argo server with it.
    external = cluster.kind == "external"
    server_port = None if external else state.choose_ports("argo-server")["argo-server"]
    surroundings = Surroundings(
        state=state,
        web_port=web_port,
        valkey_port=chosen["valkey"],
        temporal_port=chosen["temporal"],
        temporal_ui_port=ui_port,
        kubeconfig=cluster.kubeconfig,
        kubernetes=cluster.kind,
        argo_port=server_port,
    )
    flows = argo.part(state, cluster.kubeconfig, after=cluster.needed, server_port=server_port)
    own = console.parts(surroundings, targets=("temporal", *cluster.needed, flows.name))
    return Stack([broker, jobs, *cluster.parts, flows, *own], surroundings)


def choose_cluster(state: State) -> Cluster:
    """The user's own cluster, else a real control plane, else the emulator."""
    named = os.environ.get("DEMO_KUBECONFIG")
    if named:
        path = Path(named).expanduser().resolve()
        if not path.is_file():
            raise CannotStartError(f"DEMO_KUBECONFIG={named} is not a file.")
        return Cluster("external", path, [], ())
    binaries = programs.kube_binaries()
    directory = state.directory / "kubernetes"
    if binaries is None:
        return _emulated(state, directory)
    chosen = state.choose_ports(
        *("etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager"),
        *("kube-scheduler", "kwok"),
    )
    kube_ports = KubePorts(
        etcd=chosen["etcd"],
        peer=chosen["etcd-peer"],
        api=chosen["kube-apiserver"],
        manager=chosen["kube-controller-manager"],
        scheduler=chosen["kube-scheduler"],
        kwok=chosen["kwok"],
    )
    files = ClusterFiles(directory=directory, url=f"https://127.0.0.1:{kube_ports.api}")
    files.write()
    plane = ControlPlane(binaries=binaries, files=files, ports=kube_ports, logs=state.logs)
    parts = plane.parts()
    needed = tuple(part.name for part in parts if part.name in {"kube-controller-manager", "nodes"})
    return Cluster("real", files.kubeconfig, parts, needed)


def _emulated(state: State, directory: Path) -> Cluster:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = state.choose_ports("kubernetes-emulator")["kubernetes-emulator"]
    kubeconfig = directory / "emulator.kubeconfig"
    place = ("--port", str(port), "--data", str(directory / "emulator"))
    part = Part(
        name="kubernetes",
        argv=(
            *(sys.executable, "-m", "deploy.local.emulator", *place),
            *("--kubeconfig", str(kubeconfig)),
        ),
        env={"PYTHONPATH": str(ROOT)},
        log=state.logs / "kubernetes.log",
        port=port,
        ready=probes.accepts(port),
        stop_rank=20,
        note="emulated",
    )
    return Cluster("emulated", kubeconfig, [part], ("kubernetes",))
