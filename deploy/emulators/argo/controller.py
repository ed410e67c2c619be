"""The controller's rounds: admit, reconcile, write, clean up. Restartable at any time: all that it
remembers can be told from the objects again."""

import copy
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from console.errors import ExternalError
from console.unstructured import whole
from deploy.emulators.argo import names
from deploy.emulators.argo.archive import Archive
from deploy.emulators.argo.events import event
from deploy.emulators.argo.locks import (
    CannotLockError,
    Lock,
    Locks,
    wanted,
)
from deploy.emulators.argo.names import Obj
from deploy.emulators.argo.queue import Slots, order
from deploy.emulators.argo.reconcile import finish, label, reconcile
from deploy.emulators.argo.run import PodCreation, Run, is_done
from deploy.emulators.argo.wellformed import problem_of

log = structlog.get_logger(__name__)

CLEAN_UP = timedelta(seconds=30)
"""How often finished workflows are looked at for their time to live."""


class WorkflowCluster(Protocol):
    """What the controller needs of a cluster; see cluster.py."""

    def unfinished(self) -> list[Obj]: ...
    def finished(self) -> list[Obj]: ...
    def pods(self) -> list[Obj]: ...
    def limits(self) -> dict[str, str]: ...
    def limit(self, namespace: str, config_map: str, key: str) -> str | None: ...
    def update(self, workflow: Obj) -> bool: ...
    def create(self, obj: Obj) -> bool: ...
    def create_pod(self, pod: Obj) -> PodCreation: ...
    def delete(self, kind: str, namespace: str, name: str) -> None: ...
    def tick_off(self, pods: Iterable[Obj]) -> None: ...


class Controller:
    """`requeue` is how long a refused pod waits for its next try (10 s in the real one). Whatever
    completes goes to the `archive`."""

    def __init__(
        self,
        cluster: WorkflowCluster,
        *,
        parallelism: int = 0,
        namespace_parallelism: int = 0,
        requeue: timedelta = timedelta(seconds=10),
        archive: Archive | None = None,
    ) -> None:
        self._cluster = cluster
        self._archive = Archive() if archive is None else archive
        self._slots = Slots(parallelism=parallelism, namespace_parallelism=namespace_parallelism)
        self._locks = Locks(cluster.limit)
        self._requeue = requeue
        self._not_before: dict[str, tuple[datetime, PodCreation]] = {}
        self._is_new = True
        self._set_aside: set[str] = set()
        self._cleaned = datetime.min.replace(tzinfo=UTC)
        self._now = self._cleaned
        self.is_busy = True

    def round(self, now: datetime) -> int:
        """One look at everything; how many workflows were written. Afterwards `is_busy` says
        whether there is one that has not ended."""
        self._now = now
        unfinished = [item for item in self._cluster.unfinished() if self._can_read(item)]
        self.is_busy = bool(unfinished)
        if self._is_new:
            self._slots.restore(unfinished)
            self._locks.restore(unfinished)
            self._is_new = False
        self._slots.keep(workflow["metadata"]["uid"] for workflow in unfinished)
        self._locks.keep_owners(_owner(workflow) for workflow in unfinished)
        pods: dict[str, dict[str, Obj]] = defaultdict(dict)
        for pod in self._cluster.pods() if unfinished else ():
            own = pod["metadata"]
            owners = own.get("ownerReferences") or ()
            ident = (own.get("annotations") or {}).get(names.NODE_ID, "")
            pods[next((ref["uid"] for ref in owners), "")][ident] = pod
        written = self._admit(unfinished)
        for workflow in sorted(unfinished, key=order):
            if workflow["metadata"]["uid"] in self._slots:
                written += self._try(workflow, pods[workflow["metadata"]["uid"]])
        if now - self._cleaned >= CLEAN_UP:
            self._cleaned = now
            self._clean_up(now)
        return written

    # -- the queue -----------------------------------------------------------------------------

    def _admit(self, unfinished: list[Obj]) -> int:
        waiting = [
            workflow for workflow in unfinished if workflow["metadata"]["uid"] not in self._slots
        ]
        if not waiting:
            return 0
        written = 0
        ended = [
            workflow for workflow in waiting if workflow["spec"].get("shutdown") == "Terminate"
        ]
        for workflow in ended:  # not even the queue holds it back
            written += self._try(workflow, {})
        left = [workflow for workflow in waiting if workflow not in ended]
        for workflow in self._slots.admit(left, self._cluster.limits()):
            written += self._postpone(workflow)
        return written

    def _postpone(self, workflow: Obj) -> bool:
        if (workflow.get("status") or {}).get("phase"):
            return False
        changed = copy.deepcopy(workflow)
        changed.setdefault("status", {}).update(phase="Pending", message=names.POSTPONED)
        label(changed)
        return self._cluster.update(changed)

    # -- one workflow --------------------------------------------------------------------------

    def _can_read(self, workflow: Obj) -> bool:
        uid, problem = workflow["metadata"]["uid"], problem_of(workflow)
        if problem and uid not in self._set_aside:
            self._set_aside.add(uid)
            log.warning("workflow.unreadable", workflow=_owner(workflow), problem=problem)
        return not problem

    def _try(self, workflow: Obj, pods: dict[str, Obj]) -> bool:
        """One that we stumble over holds up no other."""
        try:
            return self._advance(workflow, pods)
        except ExternalError:
            raise
        except Exception:
            if workflow["metadata"]["uid"] not in self._set_aside:  # once, not every second
                self._set_aside.add(workflow["metadata"]["uid"])
                log.exception("workflow.failed", workflow=_owner(workflow))
            return False

    def _advance(self, workflow: Obj, pods: dict[str, Obj]) -> bool:
        changed = copy.deepcopy(workflow)
        run = Run(changed, pods, self, self._now)
        owner = _owner(workflow)
        if self._has_own_locks(run, owner):
            reconcile(run)
        self._settle_locks(run, owner)
        if changed == workflow:
            return False
        if not self._cluster.update(changed):
            return False  # somebody wrote it meanwhile: the next round sees what
        over = [pod for ident, pod in pods.items() if is_done(run.nodes.get(ident))]
        self._cluster.tick_off(over)
        self._tell(workflow, changed)
        if "finishedAt" in run.status:
            self._slots.release(workflow["metadata"]["uid"])
            self._archive.put([changed])
        return True

    def _has_own_locks(self, run: Run, owner: str) -> bool:
        """Workflow-level locks: without them nothing starts, but the slot stays taken."""
        locks = wanted(run.spec.get("synchronization"), run.namespace)
        if not locks or run.shutdown == "Terminate":
            return True
        try:
            waiting = self._locks.acquire(locks, owner)
        except CannotLockError as error:
            finish(run, "Failed", str(error))
            return False
        if not waiting:
            return True
        run.waiting[""] = locks
        run.status |= {"phase": "Pending", "message": waiting}
        label(run.workflow)
        return False

    def _settle_locks(self, run: Run, owner: str) -> None:
        """What is done lets go, and the status says who holds and who waits."""
        if "finishedAt" in run.status:
            self._locks.keep(owner, ())
            run.status.pop("synchronization", None)
            return
        alive = [ident for ident, node in run.nodes.items() if not is_done(node)]
        self._locks.keep(owner, [owner, *(f"{owner}/{ident}" for ident in alive)])
        waiting: list[Lock] = [lock for locks in run.waiting.values() for lock in locks]
        shown = self._locks.status(owner, waiting)
        if shown:
            run.status["synchronization"] = shown
        else:
            run.status.pop("synchronization", None)

    def _tell(self, before: Obj, after: Obj) -> None:
        """Events, as the real controller emits them; a lost one is no loss."""
        for reason, message in _news(before, after):
            try:
                self._cluster.create(event(after, reason, message, self._now))
            except ExternalError:
                return

    # -- what a run does to the cluster ------------------------------------------------------------

    def create_pod(self, pod: Obj) -> PodCreation:
        """See run.Effects; a pod that a quota refused is tried again after a while."""
        own = pod["metadata"]
        key = f"{own['namespace']}/{own['name']}"
        until, made = self._not_before.get(key, (self._now, PodCreation()))
        if until > self._now:
            return made
        made = self._cluster.create_pod(pod)
        if made.waits:
            self._not_before[key] = (self._now + self._requeue, made)
        else:
            self._not_before.pop(key, None)
        return made

    def delete_pod(self, namespace: str, name: str) -> None:
        """See run.Effects."""
        self._cluster.delete("Pod", namespace, name)

    def acquire(self, locks: list[Lock], holder: str) -> str:
        """See run.Effects."""
        return self._locks.acquire(locks, holder)

    # -- afterwards ------------------------------------------------------------------------------

    def _clean_up(self, now: datetime) -> None:
        finished = [item for item in self._cluster.finished() if self._can_read(item)]
        self._archive.put(workflow for workflow in finished if workflow.get("status"))
        for workflow in finished:
            ends = _goes_at(workflow)
            if ends is not None and now >= ends:
                own = workflow["metadata"]
                self._cluster.delete("Workflow", own["namespace"], own["name"])


def _owner(workflow: Obj) -> str:
    return f"{workflow['metadata']['namespace']}/{workflow['metadata']['name']}"


def _goes_at(workflow: Obj) -> datetime | None:
    """When a finished workflow is deleted. The time after a failure does not cover errors."""
    strategy = workflow["spec"].get("ttlStrategy") or {}
    status = workflow.get("status") or {}
    field = {"Succeeded": "secondsAfterSuccess", "Failed": "secondsAfterFailure"}.get(
        status.get("phase", ""), ""
    )
    kept = strategy.get(field, strategy.get("secondsAfterCompletion"))
    finished = names.moment(status.get("finishedAt"))
    if kept is None or finished is None:
        return None
    after = whole(kept)
    return None if after is None else finished + timedelta(seconds=min(max(after, 0), 10**9) + 1)


def _news(before: Obj, after: Obj) -> list[tuple[str, str]]:
    was, now = (before.get("status") or {}), after["status"]
    news = []
    if now["phase"] == "Running" and was.get("phase") != "Running":
        news.append(("WorkflowRunning", "Workflow Running"))
    old = was.get("nodes") or {}
    for ident, node in (now.get("nodes") or {}).items():
        bad = node["phase"] in names.BAD and not is_done(old.get(ident))
        if bad and node["type"] == "Pod":
            reason = f"WorkflowNode{node['phase']}"
            news.append((reason, f"{node['phase']} node {node['name']}: {node.get('message', '')}"))
    if "finishedAt" in now:
        reason = "WorkflowSucceeded" if now["phase"] == "Succeeded" else "WorkflowFailed"
        news.append((reason, str(now.get("message") or "Workflow completed")))
    return news
