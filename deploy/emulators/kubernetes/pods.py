"""Simulated scheduling and running of pods: no container runs, statuses are written on time.

A pod says how it goes by annotations: `headroom.dev/starts-after` (300ms), `runs-for` (10s; pods
of Jobs only, others run on) and `ends` (completed | error | oom).
"""

import re
from datetime import datetime
from typing import Any, Protocol

from deploy.emulators.kubernetes import quantities, quota
from deploy.emulators.kubernetes.bodies import now, stamp
from deploy.emulators.kubernetes.kinds import NODE, POD, Obj
from deploy.emulators.kubernetes.store import Change, Store

_PREFIX = "headroom.dev/"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_ENDS: dict[str, tuple[str, str, int]] = {
    "completed": ("Succeeded", "Completed", 0),
    "error": ("Failed", "Error", 1),
    "oom": ("Failed", "OOMKilled", 137),
}
RETRY_SCHEDULING_SECONDS = 1.0
LEAVING_SECONDS = 0.2


class Timers(Protocol):
    """Runs things later on the emulator's loop."""

    def later(self, seconds: float, call: Any, *args: Any) -> None:
        """Run `call(*args)` after some seconds unless the emulator stops before."""


def duration(text: str | None, fallback: float) -> float:
    """Read a Go duration such as `1m30s`; return seconds."""
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text or "")
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else fallback


class PodRunner:
    """Schedules pods to nodes with room, and moves them to Running and to their end."""

    def __init__(self, store: Store, timers: Timers, events: Any) -> None:
        self._store = store
        self._timers = timers
        self._events = events
        store.listeners.append(self._see)

    def resume(self) -> None:
        """Go on with the pods that were there at the start."""
        for _, pod in self._store.ordered(POD):
            self._take_up(pod)

    def _see(self, change: Change) -> None:
        if change.kind is POD and change.verb == "ADDED":
            self._timers.later(0, self._take_up, change.obj)

    def _take_up(self, pod: Obj) -> None:
        phase = pod["status"].get("phase")
        if phase == "Pending":
            self._schedule(pod)
        elif phase == "Running":
            self._plan_end(pod)

    def leave(self, pod: Obj) -> None:
        """Remove a pod that is being deleted, a moment later when it runs."""
        seconds = LEAVING_SECONDS if pod["status"].get("phase") == "Running" else 0
        self._timers.later(seconds, self._store.remove, POD, pod)

    def _current(self, pod: Obj) -> Obj | None:
        current = self._store.get(POD, pod["metadata"]["namespace"], pod["metadata"]["name"])
        if not current or current["metadata"]["uid"] != pod["metadata"]["uid"]:
            return None
        return None if "deletionTimestamp" in current["metadata"] else current

    def _schedule(self, queued: Obj) -> None:
        pod = self._current(queued)
        if pod is None or pod["spec"].get("nodeName"):
            return self._plan_start(queued)
        node, why = self._place(pod)
        if node is None:
            self._wait(pod, why)
            self._timers.later(RETRY_SCHEDULING_SECONDS, self._schedule, pod)
            return None
        condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(now())}
        spec = {**pod["spec"], "nodeName": node}
        status = {**pod["status"], "conditions": [condition]}
        placed = self._store.put(POD, {**pod, "spec": spec, "status": status})
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        words = f"Successfully assigned {name} to {node}"
        self._events.say(placed, "Scheduled", words, source="default-scheduler")
        return self._plan_start(placed)

    def _wait(self, pod: Obj, why: str) -> None:
        conditions = pod["status"].get("conditions") or [{}]
        if conditions[0].get("message") == why:
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "lastTransitionTime": stamp(now()),
            "reason": "Unschedulable",
            "message": why,
        }
        put = self._store.put(POD, {**pod, "status": {**pod["status"], "conditions": [condition]}})
        self._events.say(put, "FailedScheduling", why, source="default-scheduler", warning=True)

    def _place(self, pod: Obj) -> tuple[str | None, str]:
        nodes = self._store.in_namespace(NODE, "")
        if not nodes:
            return None, "no nodes available to schedule pods"
        wanted: dict[str, Any] = {
            name: amount.value for name, amount in quota.pod_needs(pod).items()
        }
        wanted["pods"] = quantities.parse("1").value
        short: dict[str, int] = {}
        for node in sorted(nodes, key=lambda node: str(node["metadata"]["name"])):
            free = self._free(node)
            lacking = [name for name in wanted if wanted[name] > free.get(name, 0)]
            if not lacking:
                return node["metadata"]["name"], ""
            for name in lacking:
                short[name] = short.get(name, 0) + 1
        listed = ", ".join(
            f"{count} {'Too many pods' if name == 'pods' else f'Insufficient {name}'}"
            for name, count in sorted(short.items())
        )
        return None, f"0/{len(nodes)} nodes are available: {listed}."

    def _free(self, node: Obj) -> dict[str, Any]:
        allocatable = node["status"].get("allocatable") or {}
        free: dict[str, Any] = {
            name: quantities.parse(value).value for name, value in allocatable.items()
        }
        for _, pod in self._store.ordered(POD):
            is_here = pod["spec"].get("nodeName") == node["metadata"]["name"]
            if not is_here or pod["status"].get("phase") in ("Succeeded", "Failed"):
                continue
            free["pods"] = free.get("pods", 0) - 1
            for name, amount in quota.pod_needs(pod).items():
                free[name] = free.get(name, 0) - amount.value
        return free

    def _plan_start(self, pod: Obj) -> None:
        wait = duration(_note(pod, "starts-after"), 0.3)
        self._timers.later(wait, self._start, pod)

    def _start(self, queued: Obj) -> None:
        pod = self._current(queued)
        if pod is None or pod["status"].get("phase") != "Pending":
            return
        moment = stamp(now())
        ready = [
            {"type": sort, "status": "True", "lastTransitionTime": moment}
            for sort in ("Initialized", "Ready", "ContainersReady")
        ]
        state = {"running": {"startedAt": moment}}
        status = {
            **pod["status"],
            "phase": "Running",
            "startTime": moment,
            "conditions": [*ready, *(pod["status"].get("conditions") or ())],
            "containerStatuses": [
                _container_status(container, state, running=True)
                for container in pod["spec"]["containers"]
            ],
        }
        self._plan_end(self._store.put(POD, {**pod, "status": status}))

    def _plan_end(self, pod: Obj) -> None:
        owners = pod["metadata"].get("ownerReferences") or ()
        if any(owner.get("kind") in ("Job", "Workflow") for owner in owners):
            began = datetime.fromisoformat(pod["status"]["startTime"])
            passed = max((now() - began).total_seconds() - 1, 0)
            wait = duration(_note(pod, "runs-for"), 10.0) - passed
            self._timers.later(max(wait, 0), self._end, pod)

    def _end(self, queued: Obj) -> None:
        pod = self._current(queued)
        if pod is None or pod["status"].get("phase") != "Running":
            return
        phase, reason, code = _ENDS.get(_note(pod, "ends") or "", _ENDS["completed"])
        moment = stamp(now())
        state = {
            "terminated": {
                "exitCode": code,
                "reason": reason,
                "startedAt": pod["status"]["startTime"],
                "finishedAt": moment,
            }
        }
        over = {"status": "False", "reason": "PodCompleted", "lastTransitionTime": moment}
        conditions = [
            {**condition, **over}
            if condition["type"] in ("Ready", "ContainersReady")
            else condition
            for condition in pod["status"]["conditions"]
        ]
        statuses = [
            _container_status(container, state, running=False)
            for container in pod["spec"]["containers"]
        ]
        status = {**pod["status"], "phase": phase, "conditions": conditions}
        self._store.put(POD, {**pod, "status": {**status, "containerStatuses": statuses}})


def _note(pod: Obj, name: str) -> str | None:
    note: str | None = (pod["metadata"].get("annotations") or {}).get(_PREFIX + name)
    return note


def _container_status(container: Obj, state: Obj, *, running: bool) -> Obj:
    return {
        "name": container["name"],
        "state": state,
        "lastState": {},
        "ready": running,
        "restartCount": 0,
        "image": container.get("image", ""),
        "imageID": "",
        "started": running,
    }
