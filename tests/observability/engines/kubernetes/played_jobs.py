"""Jobs on a real API server whose pods no kubelet runs: a test writes their status in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from observability.engines.contracts import RunEvent, RunSnapshot
from observability.engines.kubernetes.source import KubernetesSource
from tests.kubernetes_api import MERGE, Api
from tests.observability.engines.clusters import Site, site_in
from tests.observability.engines.memory_reader import Reader
from tests.servers import Cluster
from tests.waiting import until

Object = dict[str, Any]
STARTED, ENDED = "2026-11-29T12:00:02Z", "2026-11-29T12:01:00Z"
NOBODY = "nobody"
"""The scheduler of pods that are to stay where they are until a test says otherwise."""


def terminated(code: int, message: str = "", reason: str = "", *, at: str = ENDED) -> Object:
    """The state of a container that ended."""
    why = reason or ("Error" if code else "Completed")
    ended = {"exitCode": code, "reason": why, "startedAt": STARTED, "finishedAt": at}
    return {"terminated": ended | ({"message": message} if message else {})}


def running() -> Object:
    """The state of a container that runs."""
    return {"running": {"startedAt": STARTED}}


def container(state: Object, name: str = "main", **more: Any) -> Object:
    """The status of a container."""
    status = {"name": name, "image": "job:1", "imageID": "x", "ready": False, "restartCount": 0}
    return {**status, "state": state, **more}


def status(phase: str, *containers: Object, **more: Any) -> Object:
    """The status of a pod."""
    return {"phase": phase, "containerStatuses": list(containers), **more}


@dataclass
class PlayedJobs:
    """A namespace of a real cluster, and what reads it."""

    api: Api
    site: Site
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        target = self.site.target("kubernetes")
        self.reader = Reader(KubernetesSource(), target, [self.site.namespace])

    def create(self, name: str, pod: Mapping[str, Any] | None = None, **spec: Any) -> str:
        """Creates a Job with one container `main`, or what `pod` says instead; its uid."""
        template = spec.pop("template", {})
        template["spec"] = {
            "restartPolicy": "Never",
            "schedulerName": NOBODY,
            "containers": [{"name": "main", "image": "job:1"}],
            **(pod or {}),
        }
        made = self.site.client.create(
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": name, "namespace": self.site.namespace},
                "spec": {**spec, "template": template},
            }
        )
        return str(made["metadata"]["uid"])

    def pods(self, name: str) -> list[Object]:
        """The pods of a Job that are there, by name."""
        pods = self.site.client.list("Pod", namespace=self.site.namespace)
        owned = [
            pod
            for pod in pods
            if any(owner["name"] == name for owner in pod["metadata"].get("ownerReferences", ()))
        ]
        return sorted(owned, key=lambda pod: str(pod["metadata"]["name"]))

    def pod(self, name: str, number: int = 0, *, of: int = 1) -> str:
        """The name of a pod of a Job, once there are so many."""
        until(lambda: len(self.pods(name)) >= of, f"{name} has too few pods")
        return str(self.pods(name)[number]["metadata"]["name"])

    def play(self, pod: str, pod_status: Object) -> None:
        """Writes the status of a pod, as a kubelet would."""
        self._patch(self.api.path("pods", f"{pod}/status"), {"status": pod_status})

    def write_job_status(self, name: str, job_status: Object) -> None:
        """Writes the status of a Job, as whoever looks after it would."""
        path = self.api.path("jobs", f"{name}/status", kind="Job")
        self._patch(path, {"status": job_status})

    def change(self, name: str, **spec: Any) -> None:
        """Changes the spec of a Job, as kubectl does."""
        path = self.api.path("jobs", name, "?fieldManager=kubectl-edit", kind="Job")
        self._patch(path, {"spec": spec})

    def _patch(self, path: str, body: Object) -> None:
        code, answer = self.api.call("PATCH", path, body, MERGE)
        assert code == 200, answer

    def run(self, name: str, check: Callable[[RunSnapshot], object]) -> RunSnapshot:
        """The run of a Job, once it is as a test wants it."""
        store = self.reader.until(
            lambda store: bool(store.named(name)) and check(store.named(name)[-1])
        )
        return store.named(name)[-1]

    def ended(self, name: str) -> RunSnapshot:
        """The run of a Job that has ended."""
        return self.run(name, lambda run: run.closed_at)

    def known(self, name: str) -> tuple[int, str, str]:
        """Attempts, failure and its kind as our row of a Job says them after all looks."""
        (run,) = self.reader.store.named(name)
        known = self.reader.store.known[run.external_id, run.run_id]
        return known.attempts, known.failure, known.failure_kind

    def events(self, name: str) -> list[RunEvent]:
        """What is known to have happened to a Job."""
        return self.reader.store.events_of(name)


def played_jobs(cluster: Cluster) -> PlayedJobs:
    """A namespace of its own in a cluster."""
    site = site_in(cluster.kubeconfig)
    return PlayedJobs(Api(cluster.url, cluster.token, site.namespace), site)
