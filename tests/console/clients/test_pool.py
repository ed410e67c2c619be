from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.clients import pool
from tests.servers import Cluster

ROOT = Path(__file__).resolve().parents[3]

FORKING = """
import os, sys
from pathlib import Path
from console.clients import allowance, bridge, pool
allowance.configure(lambda: allowance.Allowance(places=(Path("/"),)))
kube, temporal = pool.kubernetes(sys.argv[1]), pool.temporal(sys.argv[2])
kube.version(); temporal.probe()
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        # The very clients that the parent had connected, as under Celery prefork.
        assert kube is pool.kubernetes(sys.argv[1])
        ok = kube.version().startswith("v1.") and temporal.probe().namespace_exists
        bridge.leave(0 if ok else 1)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
print(codes, kube.version()[:3], temporal.probe().namespace_exists)
"""

ENDING = """
import sys
from console.clients import pool
pool.temporal(sys.argv[1]).probe()
pool.temporal(sys.argv[1]).queue_config("q")
"""


@pytest.fixture(autouse=True)
def empty_pool() -> Iterator[None]:
    pool.close_all()
    yield
    pool.close_all()


def _python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_target_has_one_client_until_all_are_closed() -> None:
    first = pool.temporal("127.0.0.1:1", "a")
    assert pool.temporal("127.0.0.1:1", "a") is first
    assert pool.temporal("127.0.0.1:1", "b") is not first
    assert pool.kubernetes("env:X", server="http://a") is not pool.kubernetes("env:X", server="b")
    assert pool.kubernetes("env:X", server="b") is pool.kubernetes("env:X", server="b")
    pool.close_all()
    assert pool.temporal("127.0.0.1:1", "a") is not first


def test_connected_clients_work_in_forked_children_and_go_on_in_the_parent(
    kube: Cluster, temporal_address: str
) -> None:
    done = _python(FORKING, f"kubeconfig:{kube.kubeconfig}", temporal_address)
    assert (done.stdout, done.stderr, done.returncode) == ("[0, 0, 0] v1. True\n", "", 0)


def test_a_process_that_used_temporal_ends_cleanly(temporal_address: str) -> None:
    for _ in range(2):
        done = _python(ENDING, temporal_address)
        assert (done.returncode, done.stderr) == (0, "")
