"""An administrator of a cluster, beside Headroom: a client of their own, and kubectl."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from console.clients import pool
from console.clients.kubernetes.client import KubernetesClient


@dataclass(frozen=True)
class Administrator:
    """Who may do everything in a cluster; `context` is one of the kubeconfig's, for kubectl."""

    kubeconfig: Path
    context: str

    @property
    def client(self) -> KubernetesClient:
        """A client that Headroom does not use."""
        return pool.kubernetes(f"kubeconfig:{self.kubeconfig}", timeout=15.0)

    def kubectl(self, *args: str) -> str:
        """Run kubectl as somebody with a terminal would."""
        program = Path(sys.executable).with_name("kubectl")
        reach = (f"--kubeconfig={self.kubeconfig}", f"--context={self.context}")
        done = subprocess.run([program, *reach, *args], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def until(check: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for controllers to do their part."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
