"""A Workflow as a run of the trail. Near-pure: `now` dates only what has no time of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import orjson

from observability.jobs.adapters.argo.messages import wait_of
from observability.jobs.adapters.argo.nodes import Walk
from observability.jobs.adapters.argo.packing import NOT_FETCHED, Nodes, nodes_of
from observability.jobs.adapters.argo.state import (
    ENDED,
    FINAL,
    GONE,
    GRACE,
    OVERDUE,
    PAUSED,
    PREFIX,
    WorkflowSeen,
    cleanup_at,
    gone_at,
    instance_of,
    is_suspended,
    open_status,
    outcome_of,
    phase_of,
    revision_of,
    run_id,
    spec_of,
    status_of,
)
from observability.jobs.adapters.objects import (
    EMULATED_LABEL,
    LAST,
    Object,
    annotations_of,
    changed_at,
    checkpoint_events,
    checkpoint_of,
    created_of,
    creator_of,
    event,
    labels_of,
    links_of,
    mapping,
    mappings,
    metadata_of,
    micros,
    moment,
    name_of,
    namespace_of,
    parent_of,
    progress_of,
    shown_labels,
    tenant_of,
    text,
    uid_of,
    whole,
)
from observability.jobs.contracts import (
    Engine,
    EventKind,
    EventSeen,
    FailureKind,
    LinkKind,
    Progress,
    RunSeen,
    Status,
    run_key,
)

_ACTIONS: Final = {
    "Suspend": (EventKind.PAUSED, "Suspended"),
    "Resume": (EventKind.RESUMED, "Resumed"),
    "Stop": (EventKind.CANCEL_REQUESTED, "Stop asked for"),
    "Terminate": (EventKind.CANCEL_REQUESTED, "Termination asked for"),
    "Retry": (EventKind.RESET, "Retry asked for"),
    "Update": (EventKind.UPDATE, "Changed"),
}
_SHUTDOWNS: Final = frozenset({"Stop", "Terminate"})
_TITLES: Final = {
    Status.SUCCEEDED: "Workflow succeeded",
    Status.FAILED: "Workflow failed",
    Status.TIMED_OUT: "Workflow exceeded its deadline",
    Status.TERMINATED: "Workflow terminated",
    Status.CANCELLED: "Workflow stopped",
}
_NOTABLE: Final = frozenset({"SpecError", "SpecWarning", "ArtifactGCError"})


def run_of(seen: WorkflowSeen, now: datetime) -> RunSeen:
    """The run as it is now, with its events, and its document once it has ended."""
    return _Translation(seen, now).run()


def type_of(workflow: Object) -> str:
    """What kind of job it is for people: its template, its cron workflow, a label, its name."""
    labels = labels_of(workflow)
    reference = text(mapping(spec_of(workflow).get("workflowTemplateRef")).get("name"), 200)
    for found in (
        labels.get(f"{PREFIX}workflow-template"),
        labels.get(f"{PREFIX}cluster-workflow-template"),
        reference,
        labels.get(f"{PREFIX}cron-workflow"),
        labels.get("app.kubernetes.io/name"),
        labels.get("app"),
    ):
        if found:
            return text(found, 200)
    name = name_of(workflow)
    prefix = text(metadata_of(workflow).get("generateName"), 200).rstrip("-")
    return prefix if prefix and name.startswith(prefix) else name


def document_of(workflow: Object) -> bytes:
    """The engine's own record: the object as JSON, packed nodes unpacked."""
    status = status_of(workflow)
    nodes = nodes_of(status)
    if status.get("compressedNodes") and nodes.by_id and not nodes.missing:
        plain = {key: one for key, one in status.items() if key != "compressedNodes"}
        workflow = {**workflow, "status": {**plain, "nodes": nodes.by_id}}
    return orjson.dumps(workflow, option=orjson.OPT_SORT_KEYS)


class _Translation:
    """One Workflow on its way into a RunSeen."""

    def __init__(self, seen: WorkflowSeen, now: datetime) -> None:
        workflow = seen.workflow
        self.seen, self.workflow, self.now = seen, workflow, now
        self.spec, self.status = spec_of(workflow), status_of(workflow)
        self.labels = labels_of(workflow)
        self.nodes: Nodes = nodes_of(self.status)
        self.accepted = created_of(workflow, now)
        self.started = moment(self.status.get("startedAt"))
        # The object of a retry by hand is the old one: what began before it is another run's.
        retried_at = self.started or changed_at(workflow, "metadata", "labels", f"{PREFIX}action")
        self.created = (retried_at or now) if seen.attempt else self.accepted
        since = self.created if seen.attempt else None
        self.walk = Walk(self.nodes, name_of(workflow), self.started or self.created, since)
        self.outcome = outcome_of(seen, self.nodes, now)
        self.cleanup_at = cleanup_at(workflow)

    def run(self) -> RunSeen:
        """All of it."""
        workflow, outcome = self.workflow, self.outcome
        events = tuple(sorted(self._events(), key=lambda one: (one.seq, one.key)))
        finished = phase_of(workflow) in FINAL
        give = outcome is not None and (ENDED not in self.seen.told or not self.seen.deleted)
        return RunSeen(
            external_id=name_of(workflow),
            run_id=self.seen.run_id,
            location=namespace_of(workflow),
            type=type_of(workflow),
            status=outcome.status if outcome else open_status(workflow, self.nodes),
            created_at=self.created,
            revision=revision_of(self.seen, self._flags()),
            began_at=self.started,
            closed_at=outcome.at if outcome else None,
            tenant=tenant_of(workflow),
            attempts=self.walk.attempts or None,
            failure=outcome.message if outcome else "",
            failure_kind=outcome.kind if outcome else FailureKind.NONE,
            started_by=self._starter(),
            worker=self._worker(),
            parent=self._parent(),
            links={**links_of(workflow), LinkKind.CHAIN: uid_of(workflow)},
            progress=self._progress(events),
            cleanup_at=self.cleanup_at,
            cleaned_at=self._gone() if finished else None,
            attributes=self._attributes(),
            events=events,
            needs_history=self._is_offloaded,
            document=document_of(workflow) if give and not self._is_offloaded else None,
            emulated=self.labels.get(EMULATED_LABEL) == "true",
        )

    @property
    def _is_offloaded(self) -> bool:
        return self.nodes.missing == NOT_FETCHED

    def _flags(self) -> frozenset[str]:
        holds = {
            ENDED: self.outcome is not None,
            GONE: self.seen.deleted,
            OVERDUE: self._overdue(),
        }
        flags = self.seen.told | {flag for flag, yes in holds.items() if yes}
        return flags | {PAUSED} if is_suspended(self.workflow) else flags - {PAUSED}

    def _overdue(self) -> bool:
        due = self.cleanup_at
        return due is not None and due + GRACE < self.now and not self._is_past

    @property
    def _is_past(self) -> bool:
        return self.seen.deleted or self.seen.archived

    def _gone(self) -> datetime | None:
        return gone_at(self.workflow, self.now) if self.seen.deleted else None

    # -- who and where -----------------------------------------------------------------------

    def _label(self, name: str) -> str:
        return text(self.labels.get(f"{PREFIX}{name}", ""), 255)

    def _person(self, role: str) -> str:
        """The creator or the actor, by the label that says it best."""
        names = (f"{role}-email", f"{role}-preferred-username", role)
        return next((found for name in names if (found := self._label(name))), "")

    def _starter(self) -> str:
        if self.seen.attempt and self._label("action") == "Retry":
            return self._person("actor")
        cron = self._label("cron-workflow")
        return self._person("creator") or (f"CronWorkflow/{cron}" if cron else self._manager())

    def _manager(self) -> str:
        return creator_of(self.workflow)

    def _parent(self) -> str:
        space, name = namespace_of(self.workflow), name_of(self.workflow)
        if self.seen.attempt:
            before = run_id(uid_of(self.workflow), self.seen.attempt - 1)
            return run_key(Engine.ARGO, space, name, before)
        resubmitted = self._label("resubmitted-from-workflow")
        said = parent_of(self.workflow)
        if said or not resubmitted:
            return said
        return run_key(Engine.ARGO, space, resubmitted, "")

    def _worker(self) -> str:
        hosts = [
            (text(node.get("startedAt"), 40), text(node.get("hostNodeName"), 255))
            for node in self.nodes.by_id.values()
            if node.get("hostNodeName")
        ]
        return max(hosts)[1] if hosts else ""

    def _progress(self, events: tuple[EventSeen, ...]) -> Progress | None:
        ours = [one for one in events if not one.step]  # an annotation knows better than counts
        return progress_of(one for one in ours if one.detail.get("source") != "steps") or (
            progress_of(ours)
        )

    def _attributes(self) -> dict[str, Any]:
        status = self.status
        shown: dict[str, Any] = {
            "labels": shown_labels(self.workflow),
            "phase": phase_of(self.workflow),
            "message": text(status.get("message"), 1000),
            "instance": instance_of(self.workflow),
            "priority": whole(self.spec.get("priority")),
            "parallelism": whole(self.spec.get("parallelism")),
            "active_deadline_seconds": whole(self.spec.get("activeDeadlineSeconds")),
            "entrypoint": text(self.spec.get("entrypoint"), 200),
            "steps_missing": self.nodes.missing,
            "synchronization": self._synchronization(),
            "archived": self.seen.archived or None,
        }
        return {name: value for name, value in shown.items() if value not in (None, "", {}, [])}

    def _synchronization(self) -> dict[str, Any]:
        """The locks that are held and waited for, by name."""
        found: dict[str, Any] = {}
        for sort in ("semaphore", "mutex"):
            locks = mapping(mapping(self.status.get("synchronization")).get(sort))
            for state in ("holding", "waiting"):
                names = {text(one.get(sort), 300) for one in mappings(locks.get(state))}
                if names:
                    found[f"{sort}_{state}"] = sorted(names)[:20]
        return found

    # -- events ------------------------------------------------------------------------------

    def _events(self) -> Iterator[EventSeen]:
        yield self._created()
        yield from self._waiting()
        if self.started:
            stamp = str(micros(self.started))
            words = "Workflow started"
            yield event(self.started, EventKind.STARTED, words, "started", stamp, order=8)
        yield from self._actions()
        yield from self._suspension()
        yield from self.walk.events()
        yield from checkpoint_events(self.workflow, self.started or self.created)
        yield from self._steps_done()
        yield from self._notes()
        yield from self._end()

    def _created(self) -> EventSeen:
        source = {
            "cron_workflow": self._label("cron-workflow"),
            "resubmitted_from": self._label("resubmitted-from-workflow"),
            "event_binding": self._label("workflow-event-binding"),
            "scheduled_at": text(annotations_of(self.workflow).get(f"{PREFIX}scheduled-time"), 40),
        }
        words = "Workflow created"
        message = ""
        if self.seen.attempt:
            words = "Workflow retried by hand"
            message = "The engine overwrote the run before; its trail is kept as a run of its own."
        return event(
            self.created,
            EventKind.CREATED,
            words,
            "created",
            actor=self._starter(),
            message=message,
            detail={name: value for name, value in source.items() if value},
        )

    def _waiting(self) -> Iterator[EventSeen]:
        if phase_of(self.workflow) != "Pending":
            return
        said = text(self.status.get("message"))
        wait = wait_of(said)
        if wait:
            yield event(
                self.created,
                wait.kind,
                f"Workflow {wait.title}",
                wait.key,
                order=5,
                message=said,
                detail=wait.detail,
            )

    def _actions(self) -> Iterator[EventSeen]:
        """The last thing that a person did through the engine's own server, and a shutdown."""
        action = self._label("action")
        begun = self.started or self.created
        if action in _ACTIONS and not (self.seen.attempt and action == "Retry"):
            kind, words = _ACTIONS[action]
            at = changed_at(self.workflow, "metadata", "labels", f"{PREFIX}action") or begun
            actor = self._person("actor")
            yield event(at, kind, words, "action", action, str(micros(at)), order=45, actor=actor)
        shutdown = text(self.spec.get("shutdown"), 40)
        if shutdown and action not in _SHUTDOWNS:
            at = changed_at(self.workflow, "spec", "shutdown") or begun
            words = f"{shutdown} asked for"
            yield event(at, EventKind.CANCEL_REQUESTED, words, "shutdown", shutdown, order=45)

    def _suspension(self) -> Iterator[EventSeen]:
        """Suspended and resumed as a whole, where no action says it."""
        now, before = is_suspended(self.workflow), PAUSED in self.seen.told
        action = self._label("action")
        if now and not before and action != "Suspend":
            at = changed_at(self.workflow, "spec", "suspend") or self.started or self.created
            words = "Workflow suspended"
            yield event(at, EventKind.PAUSED, words, "paused", str(micros(at)), order=44)
        if before and not now and self.outcome is None and action != "Resume":
            words = "Workflow resumed"
            key = ("resumed", self.seen.before.partition(" ")[0])
            yield event(self.now, EventKind.RESUMED, words, *key, order=44)

    def _steps_done(self) -> Iterator[EventSeen]:
        """The controller's count of steps, as of the last step that ended."""
        said = text(self.status.get("progress"), 40)
        ends = [moment(node.get("finishedAt")) for node in self.nodes.by_id.values()]
        at = max((end for end in ends if end), default=None)
        progress = checkpoint_of(said, at) if at and said else None
        if at is None or progress is None or not progress.done:
            return
        yield event(
            at,
            EventKind.CHECKPOINT,
            f"{progress.done} of {progress.total} steps done",
            *("checkpoint", "steps", said),
            order=60,
            detail={"done": progress.done, "total": progress.total, "source": "steps"},
        )

    def _notes(self) -> Iterator[EventSeen]:
        for condition in mappings(self.status.get("conditions")):
            kind = text(condition.get("type"), 40)
            if kind in _NOTABLE and condition.get("status") == "True":
                said = text(condition.get("message"))
                at = self.started or self.created
                yield event(at, EventKind.NOTE, kind, "condition", kind, order=9, message=said)
        if self.nodes.missing:
            at = self.started or self.created
            words = "Steps not loaded"
            yield event(
                at, EventKind.NOTE, words, "not_loaded", order=10, message=self.nodes.missing
            )

    def _end(self) -> Iterator[EventSeen]:
        outcome = self.outcome
        if outcome is None:
            return
        if outcome.status is Status.DELETED:
            known = moment(metadata_of(self.workflow).get("deletionTimestamp"))
            seq = micros(known, 99) if known else LAST
            yield event(outcome.at, EventKind.DELETED, "Deleted unfinished", "deleted", seq=seq)
            return
        yield event(
            outcome.at,
            EventKind(outcome.status.value),
            _TITLES.get(outcome.status, "Workflow ended"),
            "closed",
            order=90,
            message=outcome.message,
            actor=self._person("actor") if self._label("action") in _SHUTDOWNS else "",
            detail={"phase": phase_of(self.workflow), "failure": outcome.kind.value},
        )
        yield from self._cleanup(outcome.at)

    def _cleanup(self, ended_at: datetime) -> Iterator[EventSeen]:
        due = self.cleanup_at
        if self.seen.deleted and GONE not in self.seen.told:
            words = "Removed itself as planned" if due else "Removed"
            seq = micros(due or ended_at, 95)
            gone = gone_at(self.workflow, self.now)
            yield event(gone, EventKind.CLEANUP, words, "cleaned", seq=seq)
        elif due and self._overdue():
            yield event(
                due + GRACE,
                EventKind.CLEANUP,
                "Clean-up overdue",
                "overdue",
                message="It should have removed itself and is still there.",
                detail={"due_at": due.isoformat()},
            )
