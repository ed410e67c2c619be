"""The store of the demo's cluster stays small, however many objects come and go."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from deploy.demo.parts.kubernetes import ClusterFiles, ControlPlane, KubePorts
from deploy.demo.parts.programs import KubeBinaries


def test_etcd_keeps_few_files_and_makes_room(tmp_path: Path) -> None:
    binaries = KubeBinaries(
        etcd=Path("etcd"), apiserver=Path("api"), controller_manager=Path("manager"),
        scheduler=None, kwok=None,
    )  # fmt: skip
    plane = ControlPlane(
        binaries=binaries,
        files=ClusterFiles(directory=tmp_path, url="https://127.0.0.1:1"),
        ports=KubePorts(etcd=1, peer=2, api=3, manager=4, scheduler=5, kwok=6),
        logs=tmp_path,
    )
    argv = plane.etcd().argv
    options = dict(pairwise(argv))
    assert options["--max-wals"] == "1"
    assert options["--auto-compaction-mode"] == "periodic"
    assert options["--auto-compaction-retention"] == "10m"
    assert int(options["--quota-backend-bytes"]) == 512 * 2**20
