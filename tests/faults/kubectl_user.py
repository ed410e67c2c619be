"""Somebody else at the cluster: kubectl, other field managers, a foreign quota."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.clients import pool
from console.clients.kubernetes.client import KubernetesClient
from tests.waiting import PATIENCE


@dataclass(frozen=True)
class KubectlUser:
    """An administrator of the cluster who is not Headroom."""

    kubeconfig: Path

    @property
    def client(self) -> KubernetesClient:
        """To look at what is there."""
        return pool.kubernetes(f"kubeconfig:{self.kubeconfig}", timeout=PATIENCE)

    def kubectl(self, *words: str, stdin: str = "") -> str:
        """What it printed. Raises AssertionError with its complaint."""
        done = self.attempt(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def attempt(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl, which may refuse."""
        program = Path(sys.executable).with_name("kubectl")
        return subprocess.run(
            [program, f"--kubeconfig={self.kubeconfig}", *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def edit(self, namespace: str, **hard: str) -> None:
        """What `kubectl edit quota headroom` does."""
        patch = json.dumps({"spec": {"hard": hard}})
        self.kubectl(
            *("-n", namespace, "patch", "resourcequota", "headroom", "--type=merge"),
            *("--field-manager=kubectl-edit", "-p", patch),
        )

    def declare(self, namespace: str, manager: str, **hard: str) -> None:
        """A GitOps controller applies our quota as its own."""
        self.kubectl(
            *("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}"),
            *("-f", "-"),
            stdin=json.dumps(quota("headroom", namespace, **hard)),
        )

    def hard(self, namespace: str) -> dict[str, Any]:
        """What our quota says."""
        manifest = self.client.get("ResourceQuota", "headroom", namespace=namespace)
        hard: dict[str, Any] = manifest["spec"]["hard"]
        return hard

    def enforced(self, namespace: str) -> dict[str, Any]:
        """What the API server enforces of our quota, once its controller has seen it."""
        manifest = self.client.get("ResourceQuota", "headroom", namespace=namespace)
        hard: dict[str, Any] = manifest.get("status", {}).get("hard", {})
        return hard

    def ours(self, namespace: str) -> set[tuple[str, str]]:
        """Kind and name of everything that carries our label in a namespace, and itself."""
        objects = self.client.list_many(
            ("ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding"),
            label_selector="app.kubernetes.io/managed-by=headroom",
            namespace=namespace,
        )
        spaces = self.client.list(
            "Namespace",
            label_selector="app.kubernetes.io/managed-by=headroom",
            field_selector=f"metadata.name={namespace}",
        )
        objects["Namespace"] = spaces
        return {
            (kind, item["metadata"]["name"]) for kind, items in objects.items() for item in items
        }


def quota(name: str, namespace: str, **hard: str) -> dict[str, Any]:
    """A ResourceQuota as somebody writes it."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hard": hard},
    }


def job(name: str, namespace: str, **spec: int) -> dict[str, Any]:
    """A Job as a tenant writes it."""
    container = {"name": "main", "image": "example.invalid/main:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": template, **spec},
    }
