"""Puts the parts of the embedded stack together: which ones, on which ports, for whom."""

import os
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.parts import argo, console, kubernetes_emulator, programs
from deploy.demo.parts.console import StackConfig
from deploy.demo.parts.kubernetes import ClusterFiles, ControlPlane, KubePorts
from deploy.demo.parts.temporal import TemporalPorts, temporal
from deploy.demo.parts.valkey import valkey
from deploy.demo.stack.part import CannotStartError, Part
from deploy.demo.stack.state import State


@dataclass(frozen=True, slots=True)
class Stack:
    """The parts, and what they know of each other."""

    parts: list[Part]
    config: StackConfig


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
    config = StackConfig(
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
    own = console.parts(config, targets=("temporal", *cluster.needed, flows.name))
    return Stack([broker, jobs, *cluster.parts, flows, *own], config)


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
        port = state.choose_ports("kubernetes-emulator")["kubernetes-emulator"]
        part, kubeconfig = kubernetes_emulator.part(state, directory, port)
        return Cluster("emulated", kubeconfig, [part], (part.name,))
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
