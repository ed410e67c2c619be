"""An administrator of a cluster, beside Headroom: a client of their own, and kubectl."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from console.clients import pool
from console.clients.kubernetes.client import KubernetesClient
from tests.waiting import PATIENCE


@dataclass(frozen=True)
class Administrator:
    """Who may do everything in a cluster; `context` is one of the kubeconfig's, for kubectl."""

    kubeconfig: Path
    context: str

    @property
    def client(self) -> KubernetesClient:
        """A client that Headroom does not use."""
        return pool.kubernetes(f"kubeconfig:{self.kubeconfig}", timeout=PATIENCE)

    def kubectl(self, *args: str) -> str:
        """Run kubectl as somebody with a terminal would."""
        program = Path(sys.executable).with_name("kubectl")
        reach = (f"--kubeconfig={self.kubeconfig}", f"--context={self.context}")
        done = subprocess.run([program, *reach, *args], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
