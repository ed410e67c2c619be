"""Runs of jobs, what happened to them, and how far each engine has been read. A foreign key has no
index of its own where another one begins with it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from console.access.scoping import TenantScoped
from console.database.claims import ClaimedQuerySet
from console.database.holders import LONGEST as LONGEST_HOLDER
from observability.engines.contracts import (
    EARLIER_TYPES,
    ENGINE_LABELS,
    LONGEST_MESSAGE,
    LONGEST_TITLE,
    OPEN,
    START_HEARD,
    STATUS_LABELS,
    STATUS_TIMES,
    RunRef,
    run_key,
)
from observability.engines.contracts import Status as _Status
from observability.engines.durations import format_duration
from observability.engines.failure_kinds import FAILURE_LABELS
from tenants.models import Target, Tenant

UNKNOWN_TYPE = "(type not heard)"
"""What stands for the type of a run of which nobody told it."""
ENGINE_CHOICES = [(engine.value, label) for engine, label in ENGINE_LABELS.items()]
FAILURE_CHOICES = [(kind.value, label) for kind, label in FAILURE_LABELS.items()]
STATUS_CHOICES = [(status.value, label) for status, label in STATUS_LABELS.items()]


class Attribution(models.TextChoices):
    """observability.engines.contracts.TenantSource, as people read it."""

    NONE = "unattributed", "Unattributed"
    DECLARED = "declared", "Declared by whoever started it"
    PLACEMENT = "placement", "From the placement it runs in"


class ArchiveState(models.TextChoices):
    """Whether the engine's own record of a closed run is in object storage."""

    NONE = "none", "Not closed yet"
    DUE = "due", "To be archived"
    STORED = "stored", "Archived"
    UNAVAILABLE = "unavailable", "The engine no longer had it"


class JobRunQuerySet(TenantScoped["JobRun"]):
    """Finders for runs."""

    def unfinished(self) -> JobRunQuerySet:
        """Runs that have not ended as far as we know."""
        return self.filter(closed_at__isnull=True)


class JobRun(models.Model):
    """One run of a job on one target. See contracts.RunSnapshot for what the columns mean."""

    engine = models.CharField(max_length=12, choices=ENGINE_CHOICES)
    target = models.ForeignKey(Target, models.PROTECT, related_name="runs", db_index=False)
    external_id = models.CharField(max_length=1000)
    run_id = models.CharField(max_length=100, blank=True)
    location = models.CharField(max_length=255)
    key = models.CharField(max_length=1400, help_text="contracts.run_key: how others name it.")
    tenant = models.ForeignKey(
        Tenant, models.PROTECT, related_name="runs", null=True, blank=True, db_index=False
    )
    attribution = models.CharField(
        max_length=12, choices=Attribution.choices, default=Attribution.NONE
    )
    type = models.CharField(max_length=LONGEST_TITLE)
    queue = models.CharField(max_length=255, blank=True)
    fairness_key = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=10, choices=STATUS_CHOICES)
    created_at = models.DateTimeField(help_text="When the engine accepted it.")
    began_at = models.DateTimeField(null=True, help_text="When it first ran.")
    closed_at = models.DateTimeField(null=True, help_text="When it ended.")
    duration_ms = models.BigIntegerField(null=True, help_text="Accepted to ended.")
    attempts = models.PositiveIntegerField(default=0)
    failure = models.CharField(max_length=LONGEST_MESSAGE, blank=True)
    failure_kind = models.CharField(max_length=20, blank=True)
    started_by = models.CharField(max_length=255, blank=True)
    worker = models.CharField(max_length=255, blank=True)
    build = models.CharField(max_length=255, blank=True)
    parent_key = models.CharField(max_length=1400, blank=True, help_text="Its starter's `key`.")
    progress = models.JSONField(null=True, help_text="contracts.Progress of the last checkpoint.")
    hold = models.JSONField(null=True, help_text="contracts.Hold, before it begins.")
    attributes = models.JSONField(default=dict, help_text="Search attributes, labels, headers.")
    cleanup_at = models.DateTimeField(null=True, help_text="When it is due to remove itself.")
    cleaned_at = models.DateTimeField(null=True, help_text="When it was gone from the engine.")
    search = models.TextField(blank=True, help_text="Words it is found by: type, ids, failure…")
    revision = models.CharField(max_length=100, blank=True)
    marks = models.JSONField(null=True, help_text="How late fields are that came earlier.")
    history_due = models.BooleanField(default=False, help_text="Events are still to be fetched.")
    history_through = models.BigIntegerField(default=0, help_text="`seq` of the last event read.")
    history_tries = models.PositiveSmallIntegerField(default=0)
    history_error = models.CharField(max_length=500, blank=True)
    history_not_before = models.DateTimeField(null=True, help_text="Rest after a failed try.")
    event_count = models.PositiveIntegerField(default=0)
    archive = models.CharField(
        max_length=12, choices=ArchiveState.choices, default=ArchiveState.NONE
    )
    archive_path = models.CharField(max_length=500, blank=True)
    archive_media = models.CharField(max_length=100, blank=True)
    archive_sha256 = models.CharField(max_length=64, blank=True, help_text="Of the document.")
    archive_bytes = models.BigIntegerField(null=True, help_text="Size of the document.")
    first_seen_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(help_text="When this row last changed.")

    objects = JobRunQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["engine", "target", "external_id", "run_id"], name="job_run_once"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at", "id"], name="job_run_created"),
            models.Index(fields=["tenant", "created_at", "id"], name="job_run_tenant"),
            models.Index(fields=["status", "created_at", "id"], name="job_run_status"),
            models.Index(fields=["engine", "created_at", "id"], name="job_run_engine"),
            models.Index(fields=["type", "created_at", "id"], name="job_run_type"),
            models.Index(fields=["updated_at", "id"], name="job_run_updated"),
            models.Index(fields=["key"], name="job_run_key"),
            models.Index(fields=["parent_key"], name="job_run_parent", condition=~Q(parent_key="")),
            models.Index(
                fields=["target"], name="job_run_open", condition=Q(closed_at__isnull=True)
            ),
            models.Index(
                fields=["target", "id"], name="job_run_history", condition=Q(history_due=True)
            ),
            models.Index(fields=["id"], name="job_run_archive", condition=Q(archive="due")),
            models.Index(fields=["target", "closed_at"], name="job_run_closed"),
            models.Index(
                fields=["target", "id"],
                name="job_run_cleanup",
                condition=Q(cleanup_at__isnull=False, cleaned_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def is_open(self) -> bool:
        """Whether it has not ended as far as we know."""
        return self.status in OPEN

    @property
    def title(self) -> str:
        """Its type as its page calls it, with those that it had before."""
        earlier = self.attributes.get(EARLIER_TYPES)
        name = self.type or UNKNOWN_TYPE
        return f"{earlier} → {name}" if isinstance(earlier, str) and earlier else name

    @property
    def times_problem(self) -> str:
        """Why nobody knows how long a run took that has ended; empty where that is known."""
        stated = self.attributes.get(STATUS_TIMES)
        if stated:
            return str(stated)
        if self.type or self.closed_at is None or self.attributes.get(START_HEARD):
            return ""
        if self.began_at is None or self.began_at >= self.closed_at:
            return "Its start was not heard"
        ran = format_duration((self.closed_at - self.began_at).total_seconds())
        return f"Its start was not heard; it ran for {ran}"

    def ref(self, situation: str = "") -> RunRef:
        """The plain value that sources get; `situation` where the caller has it."""
        return RunRef(
            id=self.pk,
            external_id=self.external_id,
            run_id=self.run_id,
            location=self.location,
            status=_Status(self.status),
            revision=self.revision,
            created_at=self.created_at,
            worker=self.worker,
            situation=situation,
        )

    def make_key(self) -> str:
        """What `key` has to be."""
        return run_key(self.engine, self.location, self.external_id, self.run_id)


class JobEventQuerySet(TenantScoped["JobEvent"]):
    """Events of runs."""

    tenant_path = "run__tenant"


class JobEvent(models.Model):
    """One thing that happened to a run; never changed, but for a refusal, which counts on. See
    contracts.RunEvent."""

    run = models.ForeignKey(JobRun, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.BigIntegerField(help_text="Order within the run.")
    key = models.CharField(max_length=160, help_text="The engine's own name of it.")
    at = models.DateTimeField()
    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=LONGEST_TITLE)
    step = models.CharField(max_length=255, blank=True)
    step_name = models.CharField(max_length=LONGEST_TITLE, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    actor = models.CharField(max_length=255, blank=True)
    message = models.CharField(max_length=LONGEST_MESSAGE, blank=True)
    detail = models.JSONField(default=dict)

    objects = JobEventQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "seq", "key"], name="job_event_once")
        ]

    def __str__(self) -> str:
        return f"{self.title} of run {self.run_id}"


class JobLinkQuerySet(TenantScoped["JobLink"]):
    """Links of runs."""

    tenant_path = "run__tenant"


class JobLink(models.Model):
    """What a run has in common with others: a request, a trace, a chain of continued runs."""

    run = models.ForeignKey(JobRun, models.CASCADE, related_name="links", db_index=False)
    kind = models.CharField(max_length=8)
    value = models.CharField(max_length=255)

    objects = JobLinkQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "kind", "value"], name="job_link_once")
        ]
        indexes: ClassVar = [models.Index(fields=["kind", "value"], name="job_link_value")]

    def __str__(self) -> str:
        return f"{self.kind}={self.value}"


class JobDocumentQuerySet(TenantScoped["JobDocument"]):
    """Documents of runs."""

    tenant_path = "run__tenant"


class JobDocument(models.Model):
    """A run's document beside the one in its columns: it waits (`body`), or is an earlier one."""

    run = models.ForeignKey(JobRun, on_delete=models.CASCADE, related_name="documents")
    sha256 = models.CharField(max_length=64, help_text="Of the document, uncompressed.")
    media = models.CharField(max_length=100)
    size = models.BigIntegerField(help_text="Bytes, uncompressed.")
    body = models.BinaryField(null=True, help_text="Compressed, until object storage has it.")
    path = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = JobDocumentQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "sha256"], name="job_document_once")
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} of run {self.run_id}"


class IngestStateQuerySet(ClaimedQuerySet["IngestState"]):
    """The claim on a target's stream: one reader at a time."""


class IngestState(models.Model):
    """How far one target has been read. `cursor` is its source's own."""

    target = models.OneToOneField(
        Target, on_delete=models.CASCADE, related_name="ingest", primary_key=True
    )
    cursor = models.JSONField(default=dict)
    through = models.DateTimeField(
        null=True, help_text="Engine time up to which nothing is missing."
    )
    caught_up = models.BooleanField(default=False)
    read_at = models.DateTimeField(null=True, help_text="Last time the engine answered.")
    error = models.CharField(max_length=500, blank=True)
    error_since = models.DateTimeField(null=True)
    runs_read = models.BigIntegerField(default=0)
    events_read = models.BigIntegerField(default=0)
    claim = models.CharField(max_length=32, blank=True)
    claimed_until = models.DateTimeField(null=True)
    claim_holder = models.CharField(
        max_length=LONGEST_HOLDER, blank=True, help_text="The process, see database.holders."
    )

    objects = IngestStateQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.target_id} through {self.through}"

    def lag_seconds(self, *, now: datetime) -> float | None:
        """How far behind the engine we may be; None when nothing was ever read."""
        through = self.read_at if self.caught_up and not self.error else self.through
        return None if through is None else max((now - through).total_seconds(), 0.0)


class IngestGap(models.Model):
    """A time in which events of a target may have been missed."""

    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="gaps")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    cause = models.CharField(max_length=300)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["target", "starts_at"], name="ingest_gap_once")
        ]
        indexes: ClassVar = [models.Index(fields=["target", "ends_at"], name="ingest_gap_ends")]

    def __str__(self) -> str:
        return f"{self.target_id}: {self.starts_at} to {self.ends_at}"
