"""A cluster in memory, as far as the emulated workflow controller needs one, and its clock."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.emulators.argo import names
from deploy.emulators.argo.controller import Controller
from deploy.emulators.argo.run import PodCreation

Obj = dict[str, Any]
START = datetime(2026, 11, 22, 12, tzinfo=UTC)


def pod_template(name: str, **more: Any) -> Obj:
    """A template that is one container."""
    return {"name": name, "container": {"image": "example.invalid/work:1"}, **more}


class MemoryCluster:
    """Meets deploy.emulators.argo.controller.WorkflowCluster."""

    def __init__(self) -> None:
        self.workflows: dict[str, Obj] = {}
        self.pods_there: dict[str, Obj] = {}
        self.labels: dict[str, str] = {}
        self.config: dict[tuple[str, str, str], str] = {}
        self.events: list[Obj] = []
        self.refusal = PodCreation()
        self.version = 0
        self.is_raced = False

    def unfinished(self) -> list[Obj]:
        return [
            copy.deepcopy(workflow)
            for workflow in self.workflows.values()
            if not _completed(workflow)
        ]

    def finished(self) -> list[Obj]:
        return [
            copy.deepcopy(workflow) for workflow in self.workflows.values() if _completed(workflow)
        ]

    def pods(self) -> list[Obj]:
        return [
            copy.deepcopy(pod)
            for pod in self.pods_there.values()
            if pod["metadata"]["labels"][names.COMPLETED] == "false"
        ]

    def limits(self) -> dict[str, str]:
        return self.labels

    def limit(self, namespace: str, config_map: str, key: str) -> str | None:
        return self.config.get((namespace, config_map, key))

    def update(self, workflow: Obj) -> bool:
        if self.is_raced:
            self.is_raced = False
            return False
        self.workflows[workflow["metadata"]["name"]] = copy.deepcopy(workflow)
        return True

    def create(self, obj: Obj) -> bool:
        self.events.append(obj)
        return True

    def create_pod(self, pod: Obj) -> PodCreation:
        if self.refusal.refused:
            return self.refusal
        made = {**copy.deepcopy(pod), "status": {"phase": "Pending"}}
        self.pods_there.setdefault(pod["metadata"]["name"], made)
        return PodCreation()

    def delete(self, kind: str, namespace: str, name: str) -> None:
        (self.workflows if kind == "Workflow" else self.pods_there).pop(name, None)

    def tick_off(self, pods: Iterable[Obj]) -> None:
        for pod in pods:
            there = self.pods_there.get(pod["metadata"]["name"])
            if there is not None:
                there["metadata"]["labels"][names.COMPLETED] = "true"


def _completed(workflow: Obj) -> bool:
    labels = workflow["metadata"].get("labels") or {}
    return labels.get(names.COMPLETED) == "true"


class Lab:
    """A controller over a cluster in memory; time passes only as told."""

    def __init__(self, **options: Any) -> None:
        self.cluster = MemoryCluster()
        self.now = START
        self._options = options
        self.controller = Controller(self.cluster, **options)

    def restart(self) -> None:
        """The controller forgets everything."""
        self.controller = Controller(self.cluster, **self._options)

    def submit(self, name: str, *templates: Obj, namespace: str = "acme", **spec: Any) -> None:
        """A new Workflow; its first template is the entry."""
        self.cluster.version += 1
        self.cluster.workflows[name] = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"uid-{name}",
                "creationTimestamp": names.stamp(self.now),
            },
            "spec": {"entrypoint": templates[0]["name"], "templates": list(templates), **spec},
        }

    def round(self, seconds: float = 0) -> None:
        """Some time passes, and the controller looks."""
        self.now += timedelta(seconds=seconds)
        self.controller.round(self.now)

    def play(self, seconds: float = 1) -> None:
        """Every pod runs to its end as its annotations say, and the controller looks."""
        for pod in list(self.cluster.pods_there.values()):
            if pod["status"]["phase"] in ("Pending", "Running"):
                end(pod, self.now)
        self.round(seconds)

    def finish(self, name: str, rounds: int = 30) -> Obj:
        """Rounds until the workflow has ended; its status."""
        self.round()
        for _ in range(rounds):
            if "finishedAt" in self.status(name):
                return self.status(name)
            self.play()
        raise AssertionError(f"{name} never ends: {self.status(name)}")

    def status(self, name: str) -> Obj:
        status: Obj = self.cluster.workflows[name].get("status") or {}
        return status

    def edit(self, name: str, **spec: Any) -> None:
        """What kubectl would merge into the spec."""
        self.cluster.workflows[name]["spec"].update(spec)

    def nodes(self, name: str) -> dict[str, tuple[str, str, str]]:
        """By node name: type, phase, message."""
        return {
            node["name"]: (node["type"], node["phase"], node.get("message", ""))
            for node in (self.status(name).get("nodes") or {}).values()
        }


ENDS = {"completed": ("Succeeded", 0, "Completed"), "error": ("Failed", 1, "Error")} | {
    "oom": ("Failed", 137, "OOMKilled")
}


def end(pod: Obj, now: datetime) -> None:
    """What a simulated node writes at the end."""
    ending = pod["metadata"]["annotations"].get("headroom.dev/ends", "completed")
    phase, code, reason = ENDS[ending]
    began, over = names.stamp(now), names.stamp(now)
    terminated = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": over}
    pod["status"] = {
        "phase": phase,
        "containerStatuses": [{"name": "main", "state": {"terminated": terminated}}],
    }
