"""What each tenant may use: plans, their immutable versions, and who had which when."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from console.access.scoping import TenantScoped
from tenants.models import Tenant, dns_label


class Plan(models.Model):
    """A named offer. What it grants is in its versions."""

    slug = models.CharField(max_length=63, unique=True, validators=[dns_label])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.slug


class PlanVersion(models.Model):
    """One immutable edition of a plan. Editing a plan publishes the next version."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(help_text="1, 2, 3, … within the plan.")
    policy = models.JSONField(default=dict, help_text="quotas.plans.contracts.Policy as JSON.")
    reason = models.TextField(blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            # Two people who edit the same version get the same next number: the second is told.
            models.UniqueConstraint(
                fields=["plan", "number"],
                name="plan_version_number_once",
                violation_error_message="Somebody published this version meanwhile.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.plan.slug} v{self.number}"


class Limit(models.Model):
    """One limit of a plan version, in base units. A null value is unlimited, 0 is none."""

    version = models.ForeignKey(PlanVersion, on_delete=models.CASCADE, related_name="limits")
    key = models.CharField(max_length=255, help_text="See quotas.plans.limits.")
    value = models.BigIntegerField(null=True, help_text="Base units; empty is unlimited.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "key"], name="limit_key_once"),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__gte=0), name="limit_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class IntervalQuerySet(TenantScoped[Any]):
    """Rows that hold from starts_at (inclusive) to ends_at (exclusive, null is open)."""

    def at(self, moment: datetime) -> IntervalQuerySet:
        """The rows in force at `moment`."""
        return self.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=moment), starts_at__lte=moment)


class Subscription(models.Model):
    """Which tenant had which plan version from when to when."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="subscriptions")
    version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="subscriptions")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = IntervalQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant"],
                condition=Q(ends_at__isnull=True),
                name="subscription_one_open",
                violation_error_message="This tenant has an open subscription already.",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")),
                name="subscription_ends_after_start",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "starts_at"], name="subscription_tenant"),
            models.Index(fields=["version", "ends_at"], name="subscription_version"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} on {self.version}"


class AdjustmentBase(models.Model):
    """What overrides and leases share: one limit changed for one tenant, with reason and author."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="%(class)ss")
    key = models.CharField(max_length=255)
    value = models.BigIntegerField(null=True, blank=True, help_text="Empty is unlimited.")
    reason = models.TextField()
    author = models.CharField(max_length=200)
    starts_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = IntervalQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.tenant} {self.key}={self.value}"


class Override(AdjustmentBase):
    """A limit of one tenant that differs from its plan until somebody ends it."""

    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "key"],
                condition=Q(ends_at__isnull=True),
                name="override_one_open",
                violation_error_message="This tenant has an override of this limit already.",
            ),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__gte=0), name="override_not_negative"
            ),
        ]


class Lease(AdjustmentBase):
    """A time-boxed override: it ends by itself, nobody has to remember it."""

    ends_at = models.DateTimeField()
    ended_by = models.CharField(max_length=200, blank=True, help_text="Who ended it early.")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("starts_at")), name="lease_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__gte=0), name="lease_not_negative"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "ends_at"], name="lease_tenant"),
            models.Index(fields=["ends_at"], name="lease_ends"),
        ]


class Suspension(models.Model):
    """A time in which a tenant may start nothing."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="suspensions")
    reason = models.TextField()
    author = models.CharField(max_length=200)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = IntervalQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant"],
                condition=Q(ends_at__isnull=True),
                name="suspension_one_open",
                violation_error_message="This tenant is suspended already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant} suspended {self.starts_at:%Y-%m-%d}"
