"""What is known of one Workflow before its events are told: people, times, outcome. Near-pure."""

from __future__ import annotations

from datetime import datetime

from console.unstructured import moment
from observability.engines.argo.compressed_nodes import Nodes, nodes_of
from observability.engines.argo.handlers import sorts_of
from observability.engines.argo.nodes import Walk
from observability.engines.argo.state import (
    PREFIX,
    WorkflowSnapshot,
    cleanup_at,
    held_by,
    outcome_of,
    spec_of,
    status_of,
)
from observability.engines.deletion import GRACE, deletion_of
from observability.engines.unstructured import (
    changed_at,
    created_of,
    creator_of,
    labels_of,
    name_of,
    text,
)


class Facts:
    """One Workflow, read once."""

    def __init__(self, snapshot: WorkflowSnapshot, now: datetime) -> None:
        workflow = snapshot.workflow
        self.snapshot, self.workflow, self.now = snapshot, workflow, now
        self.spec, self.status = spec_of(workflow), status_of(workflow)
        self.labels = labels_of(workflow)
        self.nodes: Nodes = nodes_of(self.status)
        self.accepted = created_of(workflow, now)
        self.started = moment(self.status.get("startedAt"))
        # The object of a retry by hand is the old one: what began before it is another run's.
        retried_at = self.started or changed_at(workflow, "metadata", "labels", f"{PREFIX}action")
        self.created = (retried_at or now) if snapshot.attempt else self.accepted
        since = self.created if snapshot.attempt else None
        self.sorts = sorts = sorts_of(self.nodes.by_id, workflow)
        began = self.started or self.created
        self.walk = Walk(self.nodes, sorts, name_of(workflow), began, since)
        self.outcome = outcome_of(snapshot, self.nodes, sorts, now)
        self.deletion = None if self.is_past else deletion_of(workflow, held_by(workflow))
        self.cleanup_at = cleanup_at(workflow)

    def overdue(self) -> bool:
        """Whether it should have removed itself by now."""
        due = self.cleanup_at
        return due is not None and due + GRACE < self.now and not self.is_past

    @property
    def is_past(self) -> bool:
        """Whether the cluster no longer has it."""
        return self.snapshot.deleted or self.snapshot.archived

    def label(self, name: str) -> str:
        """One of the engine's own labels."""
        return text(self.labels.get(f"{PREFIX}{name}", ""), 255)

    def person(self, role: str) -> str:
        """The creator or the actor, by the label that says it best."""
        names = (f"{role}-email", f"{role}-preferred-username", role)
        return next((label for name in names if (label := self.label(name))), "")

    def starter(self) -> str:
        """Who started it, as far as anything says."""
        if self.snapshot.attempt and self.label("action") == "Retry":
            return self.person("actor")
        cron = self.label("cron-workflow")
        return self.person("creator") or (f"CronWorkflow/{cron}" if cron else self._manager())

    def _manager(self) -> str:
        return creator_of(self.workflow)
