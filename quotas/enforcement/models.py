"""What was pushed, what was seen, what differed. Observation never shares a row with intent."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from console.access.models import User
from console.access.scoping import TenantScoped, wholly_own
from console.database.claims import ClaimedQuerySet
from tenants.models import Placement, Target, Tenant


class Condition(models.TextChoices):
    """The one word for how enforcement stands, in order of how much it needs somebody."""

    SYNCED = "synced", "Synced"
    SUSPENDED = "suspended", "Suspended"
    UNKNOWN = "unknown", "Not yet seen"
    PROGRESSING = "progressing", "Progressing"
    DRIFTED = "drifted", "Drifted"
    UNREACHABLE = "unreachable", "Unreachable"
    REFUSED = "refused", "Refused"
    CONFLICT = "conflict", "Conflict"


SEVERITY: dict[str, int] = {condition: rank for rank, condition in enumerate(Condition.values)}


class RolloutKind(models.TextChoices):
    """Why objects are being written."""

    CHANGE = "change", "Change"
    REPAIR = "repair", "Repair of drift"
    DUE = "due", "Limits that changed by time"
    SYNC = "sync", "Sync"
    TAKEOVER = "takeover", "Take-over of fields"


class RolloutQuerySet(TenantScoped["Rollout"]):
    """A rollout names whom it concerns: it is a tenant's own when it concerns nobody else."""

    def own_of(self, user: User) -> Q:
        """What makes a rollout theirs."""
        return wholly_own(RolloutItem.objects.all(), "rollout", user)


class Rollout(models.Model):
    """One push of intent to the planes. Written in the transaction that changes the intent."""

    kind = models.CharField(max_length=8, choices=RolloutKind.choices)
    title = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    actor = models.CharField(max_length=200)
    source = models.CharField(
        max_length=60, blank=True, help_text='What it carries out: "change:7".'
    )
    total = models.PositiveIntegerField(default=0, help_text="Number of items.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RolloutQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["created_at", "id"], name="rollout_created"),
            models.Index(fields=["id"], condition=Q(finished_at__isnull=True), name="rollout_open"),
            models.Index(fields=["source"], name="rollout_source"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"


class ItemState(models.TextChoices):
    """Where one placement's part of a rollout stands."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    CONFLICT = "conflict", "Conflict"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
    SUPERSEDED = "superseded", "Superseded"


OPEN_STATES = (ItemState.WAITING, ItemState.RUNNING)


class RolloutItemQuerySet(TenantScoped["RolloutItem"]):
    """Each item is of one tenant."""


class RolloutItem(models.Model):
    """The outbox: one placement to be brought to its intent.

    Claimed by `update(...) == n` under a token; a claim that is not renewed is free again, so a
    killed worker loses nothing. Waiting items of unreachable targets simply wait.
    """

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="items")
    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="items")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="+")
    generation = models.PositiveBigIntegerField(help_text="Placement generation to reach.")
    force = models.BooleanField(default=False, help_text="Take fields over from their owners.")
    state = models.CharField(max_length=10, choices=ItemState.choices, default=ItemState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True, help_text="Backing off until then.")
    claim = models.CharField(max_length=36, blank=True, help_text="Token of the worker at it.")
    claimed_until = models.DateTimeField(null=True, blank=True)
    changes = models.JSONField(default=list, help_text="What was written, as changes in JSON.")
    code = models.CharField(max_length=40, blank=True, help_text="Cause when it is not fine.")
    message = models.TextField(blank=True)
    owners = models.JSONField(default=dict, help_text="Field path to its owner, in a conflict.")
    calls = models.PositiveIntegerField(default=0)
    milliseconds = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RolloutItemQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rollout", "placement"], name="rollout_item_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["rollout", "state", "id"], name="rollout_item_state"),
            models.Index(
                fields=["target", "not_before", "id"],
                condition=Q(state__in=["waiting", "running"]),
                name="rollout_item_open",
            ),
            models.Index(fields=["placement", "state"], name="rollout_item_placement"),
        ]

    def __str__(self) -> str:
        return f"{self.rollout_id}: {self.placement_id} {self.state}"


class PlacementStateQuerySet(TenantScoped["PlacementState"]):
    """Observations of placements."""

    tenant_path = "placement__tenant"


class PlacementState(models.Model):
    """The last observation of one placement, and how it compares with the intent."""

    placement = models.OneToOneField(Placement, on_delete=models.CASCADE, related_name="state")
    condition = models.CharField(
        max_length=12, choices=Condition.choices, default=Condition.UNKNOWN
    )
    since = models.DateTimeField(null=True, blank=True, help_text="Start of this condition.")
    code = models.CharField(max_length=40, blank=True)
    message = models.TextField(blank=True)
    observed_generation = models.PositiveBigIntegerField(default=0)
    observed_at = models.DateTimeField(null=True, blank=True)
    applied_digest = models.CharField(
        max_length=64, blank=True, help_text="Desired state that was last enforced."
    )
    limits = models.JSONField(
        default=dict,
        help_text="By limit key: {intended, enforced, used, recounted, why}, base units.",
    )
    differences = models.JSONField(default=list, help_text="Changes still to make, as JSON.")
    owners = models.JSONField(default=dict, help_text="Field path to its owner, in a conflict.")
    refusals = models.JSONField(default=list, help_text="Limits this plane cannot say.")
    warnings = models.JSONField(default=list)
    foreign = models.JSONField(default=list, help_text="Objects that count but are not ours.")

    objects = PlacementStateQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["condition", "since"], name="placement_state_condition"),
        ]

    def __str__(self) -> str:
        return f"{self.placement_id}: {self.condition}"


class TenantStateQuerySet(TenantScoped["TenantState"]):
    """One row for each tenant."""


class TenantState(models.Model):
    """The summary of a tenant's placements that lists and the overview read."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="state")
    condition = models.CharField(
        max_length=12, choices=Condition.choices, default=Condition.UNKNOWN
    )
    severity = models.PositiveSmallIntegerField(default=0, help_text="Rank of the condition.")
    since = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True)
    fullness = models.FloatField(
        null=True, blank=True, help_text="Largest used/enforced over all limits; 1.0 is full."
    )
    tightest = models.JSONField(
        default=list,
        help_text="The fullest limits, fullest first: [{key, target, used, enforced, intended}].",
    )
    observed_at = models.DateTimeField(null=True, blank=True)

    objects = TenantStateQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["severity", "tenant"], name="tenant_state_severity"),
            models.Index(fields=["-fullness"], name="tenant_state_fullness"),
            models.Index(fields=["condition", "tenant"], name="tenant_state_condition"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.condition}"


class DriftQuerySet(TenantScoped["Drift"]):
    """Each finding is of one tenant."""


class Drift(models.Model):
    """One finding that somebody else changed an object of ours, and what became of it."""

    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="drifts")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="+")
    found_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(
        max_length=10,
        choices=[
            ("open", "Open"),
            ("healed", "Healed by Headroom"),
            ("reverted", "Reverted by somebody else"),
            ("accepted", "Intent was changed to it"),
        ],
        default="open",
    )
    owner = models.CharField(max_length=200, blank=True, help_text="Who wrote it, if known.")
    changes = models.JSONField(default=list, help_text="What differed, as changes in JSON.")

    objects = DriftQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["placement"], condition=Q(ended_at__isnull=True), name="drift_one_open"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["found_at", "id"], name="drift_found")]

    def __str__(self) -> str:
        return f"{self.placement_id}: {self.outcome}"


class TargetStateQuerySet(ClaimedQuerySet["TargetState"]):
    """The claim on a target: at most one worker works on it at a time."""


class TargetState(models.Model):
    """What probes and sweeps found about one target, and who works on it now."""

    target = models.OneToOneField(Target, on_delete=models.CASCADE, related_name="state")
    condition = models.CharField(
        max_length=12, choices=Condition.choices, default=Condition.UNKNOWN
    )
    since = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    latency_ms = models.FloatField(null=True, blank=True)
    version = models.CharField(max_length=60, blank=True)
    features = models.JSONField(default=dict)
    missing = models.JSONField(default=list, help_text="Permissions that we lack.")
    warnings = models.JSONField(default=list)
    orphans = models.JSONField(default=list, help_text="Objects with our label and no placement.")
    credential_expires_at = models.DateTimeField(null=True, blank=True)
    swept_at = models.DateTimeField(null=True, blank=True)
    sweep_ms = models.PositiveIntegerField(null=True, blank=True)
    sweep_reads = models.PositiveIntegerField(default=0)
    sweep_writes = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0, help_text="Failed attempts in a row.")
    not_before = models.DateTimeField(null=True, blank=True, help_text="Backing off until then.")
    claim = models.CharField(max_length=36, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)

    objects = TargetStateQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.target_id}: {self.condition}"

    @property
    def distribution(self) -> str:
        """Whose build the server is, as far as its version says: "k3s1" of "v1.36.1+k3s1",
        empty for most."""
        return self.version.partition("+")[2]


class TargetSample(models.Model):
    """One probe, for the target's health over 24 h. Old ones are dropped."""

    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField()
    latency_ms = models.FloatField(null=True, help_text="Empty when it did not answer.")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["target", "at"], name="target_sample_at")]

    def __str__(self) -> str:
        return f"{self.target_id} {self.at:%H:%M:%S} {self.latency_ms}"
