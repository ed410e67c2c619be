"""The sample platform as values; see sample.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("sample.yaml")
CLUSTER, TEMPORAL, CELERY, ARGO = "lab-k8s", "temporal-local", "demo-celery", "demo-argo"


@dataclass(frozen=True, slots=True)
class SampleTenant:
    """One tenant of the demo: what it has and what it runs."""

    slug: str
    name: str
    plan: str
    labels: dict[str, str] = field(default_factory=dict)
    queue: str = ""
    steady: tuple[int, str, str] = (0, "0", "0")
    story: str = ""
    downgrade_to: str = ""
    jobs_per_minute: float = 0
    job_pods: int = 1
    job_cpu: str = "200m"
    runs_per_minute: float = 0
    task_queue: str = ""
    tasks_per_minute: float = 0
    flows_per_minute: float = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Everything in sample.yaml."""

    shared_queue: str
    workflow_queue: str
    plans: dict[str, dict[str, Any]]
    tenants: tuple[SampleTenant, ...]

    def targets(
        self, kubeconfig: str, address: str, broker: str, temporal_ui: str, argo: dict[str, str]
    ) -> dict[str, dict[str, Any]]:
        """The targets by short name: a cluster twice, a Temporal namespace, a Celery app. `argo`
        are the options of the Argo server, empty where there is none."""
        base_rate = {self.shared_queue: {"base_rate": 1000, "queue_rate": None}}
        return {
            CLUSTER: {
                "kind": "kubernetes",
                "name": "Lab cluster",
                "credential": f"kubeconfig:{kubeconfig}",
            },
            TEMPORAL: {
                "kind": "temporal",
                "name": "Temporal on this machine",
                "endpoint": address,
                "options": {"namespace": "default", "queues": base_rate, "ui_url": temporal_ui},
            },
            ARGO: {
                "kind": "argo",
                "name": "Argo Workflows in the lab cluster",
                "credential": f"kubeconfig:{kubeconfig}",
                "options": argo,
            },
            CELERY: {
                "kind": "celery",
                "name": "Sample Celery app",
                "endpoint": broker,
                "options": {"app": "sample"},
            },
        }


def load() -> Sample:
    """Reads sample.yaml."""
    raw = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    tenants = (
        SampleTenant(slug=slug, **{**entry, "steady": tuple(entry.get("steady", (0, "0", "0")))})
        for slug, entry in raw["tenants"].items()
    )
    return Sample(raw["shared_queue"], raw["workflow_queue"], raw["plans"], tuple(tenants))
