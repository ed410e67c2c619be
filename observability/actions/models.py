"""Actions: what was asked of the engines, by whom, why, and what came of it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from console.access.scoping import TenantScoped
from console.audit.models import ActorKind
from console.database.claims import ClaimedQuerySet
from observability.actions.contracts import ACTION_KEY
from observability.engines.catalogue import find_verb
from observability.engines.contracts import Engine
from observability.engines.verbs import ActionRequest, Verb
from observability.jobs.models import ENGINE_CHOICES, JobRun
from tenants.models import Target, Tenant


class ActionStatus(models.TextChoices):
    """Where an action is. Unknown: nobody can say whether it was carried out."""

    ASKED = "asked", "Asked"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Unknown"
    CANCELLED = "cancelled", "Cancelled"


OPEN = (ActionStatus.ASKED, ActionStatus.RUNNING)


class RunSelection(models.TextChoices):
    """What a batch goes over; empty for an action about one run."""

    ONE = "", "One run"
    RUNS = "runs", "Runs found here"
    QUERY = "query", "A query of the engine's own"


def new_uid() -> str:
    """A name that engines take as a request id."""
    return str(uuid.uuid4())


class ActionQuerySet(TenantScoped["Action"], ClaimedQuerySet["Action"]):  # type: ignore[override]  # a manager for each base, in the stubs
    """Finders, and the claim by which one worker at a time carries an action out."""

    def open(self) -> ActionQuerySet:
        """Actions that have no outcome yet."""
        return self.filter(status__in=OPEN)

    def start(self, *, pk: int, now: datetime, until: datetime) -> bool:
        """Asked becomes running, once; True for whoever did it."""
        requested = self.filter(pk=pk, status=ActionStatus.ASKED)
        return (
            requested.update(status=ActionStatus.RUNNING, started_at=now, claimed_until=until) == 1
        )


class Action(models.Model):
    """One thing that somebody asked to be done, to one run or to many."""

    uid = models.CharField(max_length=36, unique=True, default=new_uid, editable=False)
    selection = models.CharField(max_length=5, choices=RunSelection.choices, blank=True, default="")
    run = models.ForeignKey(
        JobRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="actions"
    )
    label = models.CharField(max_length=1000, help_text="The run's id, or what the batch is about.")
    target = models.ForeignKey(
        Target, on_delete=models.PROTECT, related_name="actions", null=True, blank=True
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="actions", null=True, blank=True
    )
    engine = models.CharField(max_length=12, choices=ENGINE_CHOICES)
    verb = models.CharField(max_length=20)
    arguments = models.JSONField(default=dict)
    reason = models.TextField()
    actor_kind = models.CharField(max_length=8, choices=ActorKind.choices)
    actor = models.CharField(max_length=200)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    request_id = models.CharField(max_length=64, blank=True)
    status = models.CharField(
        max_length=9, choices=ActionStatus.choices, default=ActionStatus.ASKED
    )
    message = models.TextField(blank=True, help_text="The engine's own words.")
    result = models.JSONField(default=dict, help_text="What the engine gave back.")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    claim = models.CharField(max_length=32, blank=True, default="")
    claimed_until = models.DateTimeField(null=True, blank=True)
    # Batches.
    query = models.TextField(blank=True, help_text="The search or visibility query.")
    preview = models.JSONField(default=dict, help_text="What the dry count found.")
    rate = models.PositiveSmallIntegerField(default=0, help_text="Operations per second.")
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    bad = models.PositiveIntegerField(default=0, help_text="Refused, failed or unknown.")
    stop_asked_at = models.DateTimeField(null=True, blank=True)
    stop_asked_by = models.CharField(max_length=200, blank=True)

    objects = ActionQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run"],
                condition=Q(status__in=["asked", "running"], selection=""),
                name="action_one_open_a_run",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at", "id"], name="action_created"),
            models.Index(fields=["run", "created_at"], name="action_run"),
            models.Index(
                fields=["id"], name="action_open", condition=Q(status__in=["asked", "running"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.label}"

    @property
    def is_open(self) -> bool:
        """Whether it has no outcome yet."""
        return self.status in OPEN

    @property
    def is_batch(self) -> bool:
        """Whether it is about many runs."""
        return self.selection != RunSelection.ONE

    @property
    def about(self) -> Verb | None:
        """The verb's description; None for a verb that is no more."""
        return find_verb(Engine(self.engine), self.verb)

    @property
    def what(self) -> str:
        """The verb for people."""
        about = self.about
        return about.label if about else self.verb

    @property
    def note_key(self) -> str:
        """The key of the note in the trail."""
        return ACTION_KEY.format(id=self.pk)

    def request(self, *, email: str, uid: str = "") -> ActionRequest:
        """The plain value that controls get; `uid` names one part of a batch."""
        return ActionRequest(
            id=uid or self.uid,
            verb=self.verb,
            arguments=self.arguments,
            reason=self.reason,
            operator=self.actor,
            email=email,
        )


class ItemStatus(models.TextChoices):
    """Where one run of a batch is."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Unknown"
    CANCELLED = "cancelled", "Cancelled"


class ActionItemQuerySet(TenantScoped["ActionItem"]):
    """Finders for the runs of a batch."""

    tenant_path = "run__tenant"

    def start(self, *, pk: int, now: datetime) -> bool:
        """Waiting becomes running, once; True for whoever did it."""
        waiting = self.filter(pk=pk, status=ItemStatus.WAITING)
        return waiting.update(status=ItemStatus.RUNNING, started_at=now) == 1

    def settle(self, *, pk: int, status: str, message: str, result: Any, now: datetime) -> bool:
        """Running gets its outcome, once."""
        running = self.filter(pk=pk, status=ItemStatus.RUNNING)
        return running.update(status=status, message=message, result=result, finished_at=now) == 1


class ActionItem(models.Model):
    """One run of a batch of ours."""

    action = models.ForeignKey(Action, on_delete=models.CASCADE, related_name="items")
    uid = models.CharField(max_length=36, default=new_uid, editable=False)
    run = models.ForeignKey(
        JobRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="action_items"
    )
    label = models.CharField(max_length=1000)
    execution = models.CharField(
        max_length=100, blank=True, help_text="Its run id, where the engine's query found it."
    )
    tenant = models.CharField(max_length=63, blank=True)
    status = models.CharField(max_length=9, choices=ItemStatus.choices, default=ItemStatus.WAITING)
    message = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ActionItemQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["action", "run"], name="action_item_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["action", "status", "id"], name="action_item_status")
        ]

    def __str__(self) -> str:
        return f"{self.action_id}: {self.label}"


def count_outcome(action_id: int, *, good: bool) -> None:
    """One more run of a batch has its outcome."""
    name = "done" if good else "bad"
    Action.objects.filter(pk=action_id).update(**{name: F(name) + 1})
