"""Tenants, their people, the targets and who is placed where. Intent only: no observation."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models

from console.access.models import User
from console.access.scoping import TenantScoped
from tenants.contracts import PlacementRef, TargetRef, Unreadable

DNS_1123 = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
dns_label = RegexValidator(
    DNS_1123,
    "Use 1 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or "
    "digit (a DNS-1123 label).",
)


class TenantStatus(models.TextChoices):
    """Where a tenant is in its life. Gone tenants keep their row: the past must stay readable."""

    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"
    OFFBOARDING = "offboarding", "Off-boarding"
    GONE = "gone", "Off-boarded"


class TenantQuerySet(TenantScoped["Tenant"]):
    """Finders for tenants."""

    tenant_path = "pk"

    def governed(self) -> TenantQuerySet:
        """Tenants that have something to enforce or to remove."""
        return self.exclude(status=TenantStatus.GONE)


class Tenant(models.Model):
    """A customer of the platform: whoever limits apply to."""

    slug = models.CharField(
        max_length=63,
        unique=True,
        validators=[dns_label],
        help_text="Short name used in namespaces, labels and fairness keys. Cannot be changed.",
    )
    name = models.CharField(max_length=120, help_text="The name that people read.")
    status = models.CharField(
        max_length=12, choices=TenantStatus.choices, default=TenantStatus.ACTIVE
    )
    labels = models.JSONField(default=dict, blank=True, help_text="Text by text, for filtering.")
    contact = models.CharField(
        max_length=254, blank=True, help_text="E-mail address or channel to reach the owners."
    )
    group = models.CharField(
        max_length=200,
        blank=True,
        help_text="Group of the identity provider that gets the plan's role in the namespaces.",
    )
    generation = models.PositiveBigIntegerField(
        default=1, help_text="Grows with every change of what is intended for this tenant."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    offboarded_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(slug__regex=DNS_1123),
                name="tenant_slug_is_dns_label",
                violation_error_message=str(dns_label.message),
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["status", "slug"], name="tenant_status_slug"),
            models.Index(fields=["name", "id"], name="tenant_name"),
        ]

    def __str__(self) -> str:
        return self.slug

    def has_member(self, user: User) -> bool:
        """Whether this person belongs to it, whatever role they have in the console."""
        return self.memberships.filter(user=user).exists()


class MembershipRole(models.TextChoices):
    """What a tenant's own person may do there."""

    OWNER = "owner", "Owner"
    MEMBER = "member", "Member"


class MembershipQuerySet(TenantScoped["Membership"]):
    """Who belongs to which tenant."""


class Membership(models.Model):
    """A person who belongs to a tenant."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(
        max_length=8, choices=MembershipRole.choices, default=MembershipRole.MEMBER
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "user"],
                name="membership_once",
                violation_error_message="This person is a member of this tenant already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"


class DriftPolicy(models.TextChoices):
    """What to do about objects that somebody else changed."""

    HEAL = "heal", "Heal: write the intended value back, and say so"
    HOLD = "hold", "Hold: show it, wait for a person"


class Target(models.Model):
    """A cluster, a Temporal namespace, …: an enforcement plane that tenants are placed on."""

    slug = models.CharField(max_length=63, unique=True, validators=[dns_label])
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, help_text="Which adapter speaks to it.")
    endpoint = models.CharField(
        max_length=300,
        blank=True,
        help_text="HOST:PORT of a Temporal server; empty where the credential says it.",
    )
    credential = models.CharField(
        max_length=300,
        blank=True,
        help_text="Where the credential is: kubeconfig:/path#context, env:NAME, file:/path or "
        "in-cluster. Never the secret itself.",
    )
    options = models.JSONField(default=dict, blank=True, help_text="Settings of this kind.")
    drift_policy = models.CharField(
        max_length=8, choices=DriftPolicy.choices, default=DriftPolicy.HEAL
    )
    concurrency = models.PositiveSmallIntegerField(
        default=16, help_text="How many calls may be under way at once."
    )
    enabled = models.BooleanField(
        default=True, help_text="A disabled target is neither read nor written."
    )
    generation = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["kind", "slug"], name="target_kind_slug")]

    def __str__(self) -> str:
        return self.slug

    def ref(self, *, features: dict[str, object] | None = None, timeout: float) -> TargetRef:
        """The plain value that adapters get. `timeout` bounds one call, in seconds."""
        return TargetRef(
            id=self.pk,
            slug=self.slug,
            kind=self.kind,
            endpoint=self.endpoint,
            credential=self.credential,
            options=self.options,
            features=features or {},
            concurrency=self.concurrency,
            timeout=timeout,
        )


class Sharing(models.TextChoices):
    """Whether a task queue serves one tenant or many."""

    DEDICATED = "dedicated", "Dedicated"
    SHARED = "shared", "Shared, told apart by a fairness key"


class PlacementQuerySet(TenantScoped["Placement"]):
    """Finders for placements."""


class Placement(models.Model):
    """One tenant on one target: a namespace, or a task queue."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="placements")
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="placements")
    location = models.CharField(
        max_length=255, help_text="The Kubernetes namespace or the Temporal task queue."
    )
    sharing = models.CharField(max_length=10, choices=Sharing.choices, default=Sharing.DEDICATED)
    fairness_key = models.CharField(
        max_length=64, blank=True, help_text="Tells tenants apart on a shared queue."
    )
    drift_policy = models.CharField(
        max_length=8,
        choices=DriftPolicy.choices,
        blank=True,
        help_text="Empty follows the target's.",
    )
    leaving = models.BooleanField(
        default=False, help_text="Being removed: what carries our label there is deleted."
    )
    generation = models.PositiveBigIntegerField(
        default=1, help_text="Grows with every change of what is intended here."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PlacementQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["target", "location", "fairness_key"],
                name="placement_location_once",
                violation_error_message="Somebody is placed there already.",
            ),
            models.CheckConstraint(
                condition=models.Q(sharing=Sharing.DEDICATED, fairness_key="")
                | (models.Q(sharing=Sharing.SHARED) & ~models.Q(fairness_key="")),
                name="placement_key_where_shared",
                violation_error_message="A shared queue needs a fairness key, a dedicated one "
                "has none.",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["target", "id"], name="placement_target")]

    def __str__(self) -> str:
        key = f" [{self.fairness_key}]" if self.fairness_key else ""
        return f"{self.target.slug}/{self.location}{key}"

    @property
    def effective_drift_policy(self) -> str:
        """The placement's own drift policy, else its target's."""
        return self.drift_policy or self.target.drift_policy

    def ref(self) -> PlacementRef:
        """The plain value that adapters get; expects tenant and target to be loaded."""
        return PlacementRef(
            id=self.pk,
            tenant=self.tenant.slug,
            target=self.target.slug,
            kind=self.target.kind,
            location=self.location,
            sharing=self.sharing,
            fairness_key=self.fairness_key,
            generation=self.generation,
            leaving=self.leaving,
            group=self.tenant.group,
            stopped=self.tenant.status != TenantStatus.ACTIVE,
            tenant_id=self.tenant_id or 0,
            drift_policy=self.effective_drift_policy,
        )


class Reader(models.TextChoices):
    """Who reads a target, and so who met what cannot be read."""

    LIMITS = "limits", "Limits"
    JOBS = "jobs", "Jobs"


class UnreadableObjectQuerySet(TenantScoped["UnreadableObject"]):
    """Finders for what cannot be read."""


class UnreadableObject(models.Model):
    """Something on a target that could not be read: kept so that it is shown, not dropped.

    Bounded in number by tenant, target and reader (tenants/services/unreadable.py). `times` counts
    how often it was met; `tenant` is whose it is, as far as its place says.
    """

    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="unreadable_objects")
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, null=True, related_name="unreadable_objects"
    )
    reader = models.CharField(max_length=8, choices=Reader.choices)
    kind = models.CharField(max_length=63)
    location = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255, blank=True)
    problem = models.CharField(max_length=500)
    times = models.PositiveBigIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    objects = UnreadableObjectQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["target", "reader", "kind", "location", "name"],
                name="unreadable_object_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-last_at"], name="unreadable_object_tenant"),
            models.Index(fields=["target", "-last_at"], name="unreadable_object_target"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.location}/{self.name}"

    def value(self) -> Unreadable:
        """The plain value; expects the tenant to be loaded."""
        tenant = self.tenant.slug if self.tenant else ""
        return Unreadable(self.kind, self.location, self.name, self.problem, tenant)
