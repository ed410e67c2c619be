"""A small Job controller: makes pods, counts how they end, retries, finishes, cleans up."""

from dataclasses import dataclass
from datetime import datetime

from deploy.emulators.kubernetes import defaults
from deploy.emulators.kubernetes.bodies import (
    Target,
    now,
    stamp,
    suffix,
)
from deploy.emulators.kubernetes.errors import ApiError
from deploy.emulators.kubernetes.events import Events
from deploy.emulators.kubernetes.kinds import JOB, POD, Obj
from deploy.emulators.kubernetes.pods import Timers
from deploy.emulators.kubernetes.resources import Resources
from deploy.emulators.kubernetes.store import Change

SOURCE = "job-controller"
FIRST_BACKOFF_SECONDS = 10.0
LONGEST_BACKOFF_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 60.0
_FINISHED = ("Complete", "Failed")
_DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")
_BACKOFF = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
_DONE = ("CompletionsReached", "Reached expected number of succeeded pods")


@dataclass(slots=True)
class _JobRecord:
    """What the controller remembers of one Job between looks."""

    refusals: int = 0
    not_before: float = 0.0
    failures: int = 0
    watches_deadline: bool = False
    watches_ttl: bool = False


class JobController:
    """Looks at a Job whenever it, or a pod of it, changes."""

    def __init__(self, resources: Resources, timers: Timers, events: Events) -> None:
        self._resources = resources
        self._store = resources.store
        self._timers = timers
        self._events = events
        self._memory: dict[str, _JobRecord] = {}
        self._queued: set[tuple[str, str]] = set()
        self._store.listeners.append(self._see)

    def resume(self) -> None:
        """Look at every Job once."""
        for _, job in self._store.ordered(JOB):
            self._queue(job["metadata"]["namespace"], job["metadata"]["name"])

    def _see(self, change: Change) -> None:
        namespace = change.obj["metadata"].get("namespace", "")
        if change.kind is JOB and change.verb != "DELETED":
            self._queue(namespace, change.obj["metadata"]["name"])
        elif change.kind is POD:
            for owner in change.obj["metadata"].get("ownerReferences") or ():
                if owner["kind"] == "Job":
                    self._queue(namespace, owner["name"])

    def _queue(self, namespace: str, name: str, seconds: float = 0) -> None:
        if seconds:
            self._timers.later(seconds, self._queue, namespace, name)
        elif (namespace, name) not in self._queued:
            self._queued.add((namespace, name))
            self._timers.later(0, self._look, namespace, name)

    def _look(self, namespace: str, name: str) -> None:
        self._queued.discard((namespace, name))
        job = self._store.get(JOB, namespace, name)
        if not job or "deletionTimestamp" in job["metadata"]:
            return
        memory = self._memory.setdefault(job["metadata"]["uid"], _JobRecord())
        if is_finished(job):
            self._clean_up(job, memory)
        elif not job["spec"].get("suspend"):
            self._advance(job, memory)

    def _clean_up(self, job: Obj, memory: _JobRecord) -> None:
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return
        over = max(condition["lastTransitionTime"] for condition in job["status"]["conditions"])
        left = ttl - (now() - datetime.fromisoformat(over)).total_seconds()
        metadata = job["metadata"]
        if left <= 0:
            target = Target(JOB, metadata["namespace"], metadata["name"])
            self._resources.delete(target, {"propagationPolicy": "Background"})
            self._memory.pop(metadata["uid"], None)
        elif not memory.watches_ttl:
            memory.watches_ttl = True
            self._queue(metadata["namespace"], metadata["name"], left + 0.01)

    def _pods(self, job: Obj) -> dict[str, list[Obj]]:
        uid = job["metadata"]["uid"]
        by_phase: dict[str, list[Obj]] = {"active": [], "succeeded": [], "failed": []}
        for pod in self._store.in_namespace(POD, job["metadata"]["namespace"]):
            owners = pod["metadata"].get("ownerReferences") or ()
            if not any(owner["uid"] == uid for owner in owners):
                continue
            phase = pod["status"].get("phase")
            place = {"Succeeded": "succeeded", "Failed": "failed"}.get(phase, "active")
            if place != "active" or "deletionTimestamp" not in pod["metadata"]:
                by_phase[place].append(pod)
        return by_phase

    def _advance(self, job: Obj, memory: _JobRecord) -> None:
        pods = self._pods(job)
        spec, status = job["spec"], job.get("status") or {}
        started = status.get("startTime") or stamp(now())
        wanted = spec.get("completions")
        succeeded, failed = len(pods["succeeded"]), len(pods["failed"])
        self._note_failures(job, memory, failed)
        if self._is_late(job, started, memory):
            self._finish(job, pods, "Failed", _DEADLINE)
        elif failed > spec["backoffLimit"]:
            self._finish(job, pods, "Failed", _BACKOFF)
        elif succeeded >= (wanted or 1) and (wanted is not None or not pods["active"]):
            self._finish(job, pods, "Complete", _DONE)
        else:
            self._write(job, _counts(pods, started))
            self._make_pods(job, memory, pods)

    def _note_failures(self, job: Obj, memory: _JobRecord, failed: int) -> None:
        if failed <= memory.failures:
            return
        memory.failures = failed
        wait = min(FIRST_BACKOFF_SECONDS * 2 ** (failed - 1), LONGEST_BACKOFF_SECONDS)
        memory.not_before = now().timestamp() + wait
        self._queue(job["metadata"]["namespace"], job["metadata"]["name"], wait + 0.01)

    def _is_late(self, job: Obj, started: str, memory: _JobRecord) -> bool:
        deadline = job["spec"].get("activeDeadlineSeconds")
        if deadline is None:
            return False
        left = deadline - (now() - datetime.fromisoformat(started)).total_seconds()
        if left > 0 and not memory.watches_deadline:
            memory.watches_deadline = True
            self._queue(job["metadata"]["namespace"], job["metadata"]["name"], left + 0.01)
        return bool(left <= 0)

    def _make_pods(self, job: Obj, memory: _JobRecord, pods: dict[str, list[Obj]]) -> None:
        if now().timestamp() < memory.not_before:
            return
        spec = job["spec"]
        room = spec["parallelism"] - len(pods["active"])
        if spec.get("completions") is not None:
            left = spec["completions"] - len(pods["succeeded"]) - len(pods["active"])
            room = min(room, left)
        elif pods["succeeded"]:
            room = 0
        for _ in range(room):
            if not self._make_pod(job, memory):
                return

    def _make_pod(self, job: Obj, memory: _JobRecord) -> bool:
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        pod = _pod_of(job)
        try:
            self._resources.create(Target(POD, namespace), pod)
        except ApiError as error:
            words = f"Error creating: {error.message}"
            self._events.say(job, "FailedCreate", words, source=SOURCE, warning=True)
            pause = min(2.0 ** max(memory.refusals - 1, 0), LONGEST_PAUSE_SECONDS)
            pause = pause if memory.refusals else 0.05
            memory.refusals += 1
            memory.not_before = now().timestamp() + pause
            self._queue(namespace, name, pause + 0.01)
            return False
        memory.refusals = 0
        words = f"Created pod: {pod['metadata']['name']}"
        self._events.say(job, "SuccessfulCreate", words, source=SOURCE)
        return True

    def _finish(
        self, job: Obj, pods: dict[str, list[Obj]], outcome: str, why: tuple[str, str]
    ) -> None:
        for pod in pods["active"]:
            metadata = pod["metadata"]
            self._resources.delete(Target(POD, metadata["namespace"], metadata["name"]), {})
            words = f"Deleted pod: {metadata['name']}"
            self._events.say(job, "SuccessfulDelete", words, source=SOURCE)
        status = job.get("status") or {}
        counts = _counts({**pods, "active": []}, status.get("startTime") or stamp(now()))
        if outcome == "Failed" and pods["active"]:
            counts["failed"] = counts.get("failed", 0) + len(pods["active"])
        first = "FailureTarget" if outcome == "Failed" else "SuccessCriteriaMet"
        moment = stamp(now())
        conditions = [
            {
                "type": sort,
                "status": "True",
                "lastProbeTime": moment,
                "lastTransitionTime": moment,
                "reason": why[0],
                "message": why[1],
            }
            for sort in (first, outcome)
        ]
        if outcome == "Complete":
            counts["completionTime"] = moment
            self._events.say(job, "Completed", "Job completed", source=SOURCE)
        else:
            self._events.say(job, why[0], why[1], source=SOURCE, warning=True)
        self._write(job, {"conditions": conditions, **counts})

    def _write(self, job: Obj, status: Obj) -> None:
        if status != job.get("status"):
            self._store.put(JOB, {**job, "status": status})


def is_finished(job: Obj) -> bool:
    """Tell whether a Job is complete or failed."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(
        condition["type"] in _FINISHED and condition["status"] == "True" for condition in conditions
    )


def _counts(pods: dict[str, list[Obj]], started: str) -> Obj:
    counts: Obj = {"startTime": started}
    for name in ("active", "succeeded", "failed"):
        if pods[name]:
            counts[name] = len(pods[name])
    ready = sum(1 for pod in pods["active"] if pod["status"].get("phase") == "Running")
    return {**counts, "terminating": 0, "uncountedTerminatedPods": {}, "ready": ready}


def _pod_of(job: Obj) -> Obj:
    template = defaults.copied(job["spec"]["template"])
    own = job["metadata"]
    metadata = template.get("metadata") or {}
    metadata["generateName"] = f"{own['name']}-"
    metadata["name"] = metadata["generateName"] + suffix()
    metadata["ownerReferences"] = [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": own["name"],
            "uid": own["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    return {"metadata": metadata, "spec": template["spec"]}
