"""Workflow bundles, and replays of recorded runs against them."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from console.access.models import User
from console.access.scoping import TenantScoped, wholly_own
from console.database.claims import ClaimedQuerySet
from observability.jobs.models import JobRun
from tenants.models import dns_label

bundle_version = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}\Z",
    "Use 1 to 63 letters, digits, dots, hyphens, underscores and plus signs, such as 1.4.2 or "
    "build-42.",
)


class BundleKind(models.TextChoices):
    """Where the code of a bundle comes from."""

    MODULE = "module", "Modules on the server's import path"
    DIRECTORY = "directory", "A directory of modules"
    WHEEL = "wheel", "Wheels"


class WorkflowBundle(models.Model):
    """One version of workflow code, registered by an admin. It is never changed, only retired."""

    name = models.CharField(max_length=63, validators=[dns_label])
    version = models.CharField(max_length=63, validators=[bundle_version])
    kind = models.CharField(max_length=10, choices=BundleKind.choices)
    modules = models.JSONField(default=list, help_text="Python modules to import.")
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of everything in its files.")
    workflows = models.JSONField(default=list, help_text="Names of the workflows it has.")
    isolated = models.BooleanField(help_text="Whether it had no network when it was imported.")
    confined = models.BooleanField(
        default=False, help_text="Whether it saw no file but its own when it was imported."
    )
    reason = models.TextField()
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name", "version"],
                name="bundle_version_once",
                violation_error_message="This version of the bundle is registered already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class ReplayState(models.TextChoices):
    """Where a replay is."""

    WAITING = "waiting", "Waiting for a worker"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    STOPPED = "stopped", "Stopped"
    FAILED = "failed", "Could not run"


class ResultVerdict(models.TextChoices):
    """console.clients.temporal.replay.runner.ReplayVerdict and what comes before it."""

    NONE = "", "Not replayed yet"
    DETERMINISTIC = "deterministic", "Deterministic"
    DIVERGED = "diverged", "Diverged"
    FAILED = "failed", "Failed"
    MALFORMED = "malformed", "Malformed history"
    TIMED_OUT = "timed_out", "Took too long"
    CRASHED = "crashed", "Crashed"
    NO_HISTORY = "no_history", "No history"


class ReplayQuerySet(TenantScoped["Replay"], ClaimedQuerySet["Replay"]):  # type: ignore[override]  # a manager for each base, in the stubs
    """Finders, and the claim by which one worker at a time carries a replay out. A replay is a
    tenant's own when it has runs of nobody else."""

    def own_of(self, user: User) -> Q:
        """What makes a replay theirs."""
        return wholly_own(ReplayResult.objects.all(), "replay", user)

    def unfinished(self) -> ReplayQuerySet:
        """Replays that wait or run."""
        return self.filter(state__in=(ReplayState.WAITING, ReplayState.RUNNING))


class Replay(models.Model):
    """Some runs replayed against one bundle. The results say how far it is."""

    bundle = models.ForeignKey(WorkflowBundle, on_delete=models.PROTECT, related_name="replays")
    selection = models.CharField(max_length=500, help_text="What was asked for, in words.")
    state = models.CharField(max_length=8, choices=ReplayState.choices, default=ReplayState.WAITING)
    total = models.PositiveIntegerField()
    message = models.TextField(blank=True, help_text="Why it could not run.")
    isolated = models.BooleanField(
        null=True, help_text="Whether the code had no network; null before it ran."
    )
    confined = models.BooleanField(
        null=True, help_text="Whether the code saw no file but its own; null before it ran."
    )
    actor = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    claim = models.CharField(max_length=32, blank=True)
    claimed_until = models.DateTimeField(null=True)

    objects = ReplayQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["created_at", "id"], name="replay_created"),
            models.Index(fields=["id"], name="replay_open", condition=Q(finished_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.bundle}: {self.selection}"

    @property
    def is_open(self) -> bool:
        """Whether something will still happen."""
        return self.finished_at is None


class ReplayResultQuerySet(TenantScoped["ReplayResult"]):
    """Finders for results."""

    tenant_path = "run__tenant"

    def waiting(self) -> ReplayResultQuerySet:
        """Those that have not been replayed yet."""
        return self.filter(verdict=ResultVerdict.NONE)


class ReplayResult(models.Model):
    """How one run replayed. See console.clients.temporal.replay.runner.ReplayOutcome."""

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="results")
    run = models.ForeignKey(JobRun, on_delete=models.CASCADE, related_name="replays")
    verdict = models.CharField(max_length=13, choices=ResultVerdict.choices, blank=True)
    event_id = models.BigIntegerField(default=0, help_text="First event that differs.")
    event_type = models.CharField(max_length=100, blank=True)
    expected = models.TextField(blank=True, help_text="What the history has there.")
    actual = models.TextField(blank=True, help_text="What the code would do there.")
    message = models.TextField(blank=True)
    milliseconds = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(null=True)

    objects = ReplayResultQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["replay", "run"], name="replay_result_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["replay", "verdict", "id"], name="replay_result_verdict"),
            models.Index(fields=["run", "id"], name="replay_result_run"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} in {self.replay_id}: {self.verdict or 'waiting'}"
