"""A Workflow as a run of the trail. Near-pure: `now` dates only what has no time of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from console import lenient_json
from console.unstructured import mapping, mappings, whole
from observability.engines.argo.compressed_nodes import NOT_FETCHED, nodes_of
from observability.engines.argo.events import WorkflowEvents
from observability.engines.argo.facts import Facts
from observability.engines.argo.state import (
    ENDED,
    FINAL,
    GONE,
    OVERDUE,
    PAUSED,
    PREFIX,
    WorkflowSnapshot,
    instance_of,
    is_suspended,
    open_status,
    phase_of,
    revision_of,
    run_id,
    spec_of,
    status_of,
)
from observability.engines.contracts import (
    DELETION,
    Engine,
    EventKind,
    FailureKind,
    LinkKind,
    Progress,
    RunEvent,
    RunSnapshot,
    run_key,
)
from observability.engines.deletion import HELD, removed_at
from observability.engines.times import plausible
from observability.engines.unstructured import (
    Object,
    labels_of,
    links_of,
    metadata_of,
    name_of,
    namespace_of,
    parent_of,
    progress_of,
    shown_labels,
    tenant_of,
    text,
    uid_of,
)


def run_of(snapshot: WorkflowSnapshot, now: datetime) -> RunSnapshot:
    """The run as it is now, with its events, and its document once it has ended."""
    run = plausible(_WorkflowTranslation(snapshot, now).run(), now)
    return replace(run, events=tuple(_as_of(event, now) for event in run.events))


def _as_of(event: RunEvent, now: datetime) -> RunEvent:
    """A refusal as it was last read: the next time its message has other amounts."""
    if event.kind is not EventKind.DENIED:
        return event
    return replace(event, detail={**event.detail, "last_at": now.isoformat()})


def type_of(workflow: Object) -> str:
    """What kind of job it is for people: its template, its cron workflow, a label, its name."""
    labels = labels_of(workflow)
    reference = text(mapping(spec_of(workflow).get("workflowTemplateRef")).get("name"), 200)
    for name_of_type in (
        labels.get(f"{PREFIX}workflow-template"),
        labels.get(f"{PREFIX}cluster-workflow-template"),
        reference,
        labels.get(f"{PREFIX}cron-workflow"),
        labels.get("app.kubernetes.io/name"),
        labels.get("app"),
    ):
        if name_of_type:
            return text(name_of_type, 200)
    name = name_of(workflow)
    prefix = text(metadata_of(workflow).get("generateName"), 200).rstrip("-")
    return prefix if prefix and name.startswith(prefix) else name


def document_of(workflow: Object) -> bytes:
    """The engine's own record: the object as JSON, packed nodes unpacked."""
    status = status_of(workflow)
    nodes = nodes_of(status)
    if status.get("compressedNodes") and nodes.by_id and not nodes.missing:
        plain = {key: value for key, value in status.items() if key != "compressedNodes"}
        workflow = {**workflow, "status": {**plain, "nodes": nodes.by_id}}
    return lenient_json.dumps(workflow)


class _WorkflowTranslation(Facts):
    """One Workflow on its way into a RunSnapshot."""

    def run(self) -> RunSnapshot:
        """All of it."""
        workflow, outcome = self.workflow, self.outcome
        events = tuple(
            sorted(WorkflowEvents(self).events(), key=lambda event: (event.seq, event.key))
        )
        finished = phase_of(workflow) in FINAL
        give = outcome is not None and (
            ENDED not in self.snapshot.flags or not self.snapshot.deleted
        )
        return RunSnapshot(
            external_id=name_of(workflow),
            run_id=self.snapshot.run_id,
            location=namespace_of(workflow),
            type=type_of(workflow),
            status=outcome.status if outcome else open_status(workflow, self.nodes, self.sorts),
            created_at=self.created,
            revision=revision_of(self.snapshot, self._flags()),
            began_at=self.started,
            closed_at=outcome.at if outcome else None,
            tenant=tenant_of(workflow),
            attempts=self.walk.attempts or None,
            failure=outcome.message if outcome else "",
            failure_kind=outcome.kind if outcome else FailureKind.NONE,
            started_by=self.starter(),
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
        )

    @property
    def _is_offloaded(self) -> bool:
        return self.nodes.missing == NOT_FETCHED

    def _flags(self) -> frozenset[str]:
        holds = {
            ENDED: self.outcome is not None,
            GONE: self.snapshot.deleted,
            OVERDUE: self.overdue(),
            HELD: self.deletion is not None,
        }
        flags = self.snapshot.flags | {flag for flag, yes in holds.items() if yes}
        return flags | {PAUSED} if is_suspended(self.workflow) else flags - {PAUSED}

    def _gone(self) -> datetime | None:
        return (
            removed_at(self.snapshot.workflow, self.snapshot.flags, self.now)
            if self.snapshot.deleted
            else None
        )

    def _parent(self) -> str:
        space, name = namespace_of(self.workflow), name_of(self.workflow)
        if self.snapshot.attempt:
            before = run_id(uid_of(self.workflow), self.snapshot.attempt - 1)
            return run_key(Engine.ARGO, space, name, before)
        resubmitted = self.label("resubmitted-from-workflow")
        declared = parent_of(self.workflow)
        if declared or not resubmitted:
            return declared
        return run_key(Engine.ARGO, space, resubmitted, "")

    def _worker(self) -> str:
        hosts = [
            (text(node.get("startedAt"), 40), text(node.get("hostNodeName"), 255))
            for node in self.nodes.by_id.values()
            if node.get("hostNodeName")
        ]
        return max(hosts)[1] if hosts else ""

    def _progress(self, events: tuple[RunEvent, ...]) -> Progress | None:
        ours = [
            event for event in events if not event.step
        ]  # an annotation knows better than counts
        return progress_of(event for event in ours if event.detail.get("source") != "steps") or (
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
            "archived": self.snapshot.archived or None,
            DELETION: self.deletion.detail() if self.deletion else None,
        }
        return {name: value for name, value in shown.items() if value not in (None, "", {}, [])}

    def _synchronization(self) -> dict[str, Any]:
        """The locks that are held and waited for, by name."""
        locks_by_state: dict[str, Any] = {}
        for sort in ("semaphore", "mutex"):
            locks = mapping(mapping(self.status.get("synchronization")).get(sort))
            for state in ("holding", "waiting"):
                names = {text(lock.get(sort), 300) for lock in mappings(locks.get(state))}
                if names:
                    locks_by_state[f"{sort}_{state}"] = sorted(names)[:20]
        return locks_by_state
