"""Clusters for the readers of Kubernetes objects: the emulator, and a real control plane."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from console.clients import pool
from console.clients.kubernetes.client import KubernetesClient
from console.errors import ExternalError, NotFound
from deploy.emulators.argo.definition import definition
from deploy.emulators.kubernetes.server import Emulator
from tenants.contracts import TargetRef
from tests.servers import skip_if_forbidden
from tests.waiting import PATIENCE, until

CPU = "requests.cpu"


@dataclass(frozen=True)
class Site:
    """A cluster and a namespace of the test's own in it."""

    kubeconfig: Path
    namespace: str

    @property
    def client(self) -> KubernetesClient:
        """The administrator's."""
        return pool.kubernetes(f"kubeconfig:{self.kubeconfig}", timeout=PATIENCE)

    def target(self, kind: str, **options: Any) -> TargetRef:
        """The cluster as a target, with fewer connections than there are watches."""
        return TargetRef(
            id=1,
            slug="cluster",
            kind=kind,
            endpoint="",
            credential=f"kubeconfig:{self.kubeconfig}",
            options=options,
            concurrency=2,
        )

    def limit(self, amount: str) -> None:
        """A quota on CPU, in force."""
        self.client.create(
            {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "headroom", "namespace": self.namespace},
                "spec": {"hard": {CPU: amount}},
            }
        )

        def hard() -> Any:
            quota = self.client.get("ResourceQuota", "headroom", namespace=self.namespace)
            return (quota.get("status") or {}).get("hard")

        until(hard, "the quota is not enforced")

    def job(self, name: str, *, cpu: str = "10m", notes: Any = (), **spec: Any) -> str:
        """Create a Job whose pod runs as its annotations say; its uid."""
        annotations = {f"headroom.dev/{key}": value for key, value in dict(notes).items()}
        container = {
            "name": "main",
            "image": "busybox:1",
            "resources": {"requests": {"cpu": cpu, "memory": "16Mi"}},
        }
        labels = spec.pop("labels", {})
        made = self.client.create(
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
                "spec": {
                    **spec,
                    "template": {
                        "metadata": {"annotations": annotations},
                        "spec": {"restartPolicy": "Never", "containers": [container]},
                    },
                },
            }
        )
        return str(made["metadata"]["uid"])

    def workflow(self, name: str, **more: Any) -> dict[str, Any]:
        """Create a Workflow; no controller touches it."""
        return self.client.create(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Workflow",
                "metadata": {"name": name, "namespace": self.namespace, **more.pop("metadata", {})},
                "spec": {"entrypoint": "main", **more.pop("spec", {})},
                **more,
            }
        )

    def put_status(self, name: str, **status: Any) -> dict[str, Any]:
        """Write the status of a Workflow as its controller would: null removes."""
        patch = {"status": status}
        return self.client.patch_merge("Workflow", name, patch, namespace=self.namespace)


def site_in(kubeconfig: Path) -> Site:
    """A namespace of its own in a cluster that serves Workflows."""
    site = Site(kubeconfig, f"acme-{uuid4().hex[:8]}")
    site.client.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": site.namespace}}
    )
    return site


def serve_workflows(kubeconfig: Path) -> None:
    """Have a real API server serve Workflows."""
    client = pool.kubernetes(f"kubeconfig:{kubeconfig}", timeout=PATIENCE)
    client.apply(definition(), "headroom-test")

    def served() -> bool:
        with suppress(NotFound, ExternalError):
            client.list("Workflow")
            return True
        return False

    until(served, "the API server does not serve Workflows")


@contextmanager
def emulated(home: Path) -> Iterator[tuple[Emulator, Site]]:
    """An emulator of a test's own."""
    skip_if_forbidden()
    with Emulator() as running:
        yield running, site_in(running.kubeconfig(home / "kubeconfig"))
        pool.close_all()
