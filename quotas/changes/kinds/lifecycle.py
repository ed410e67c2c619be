"""Changes of a tenant as a whole: it comes, is suspended, resumes, goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from console.access.contracts import Permission
from console.errors import DomainError
from quotas.changes.kinds.change import ApplyContext, ProposedChange, new_intent
from quotas.changes.kinds.placements import Place, place_all
from quotas.changes.rules.fields import Labels, Name, Names, Text
from quotas.changes.rules.history import offboarded, resumed, subscribed, suspended
from quotas.changes.rules.titles import DELETES, who
from quotas.changes.selectors.places import with_tenant_and_target
from quotas.changes.selectors.scope import (
    ChangeScope,
    plan_offered,
    scope_by_status,
    tenants_named,
)
from quotas.plans.contracts import PlanTerms, TenantHistory
from quotas.plans.selectors import load_terms
from quotas.plans.services import adjustments, suspensions
from quotas.plans.services.plans import latest_version
from quotas.plans.services.subscriptions import subscribe, unsubscribe
from tenants.models import Placement, Tenant, TenantStatus, dns_label
from tenants.rules import check_slug
from tenants.services import governance as tenants


@dataclass(frozen=True, slots=True)
class Suspend(ProposedChange):
    """Stops new work of the tenants on every target."""

    permission: ClassVar = Permission.OPERATE

    tenants: Names

    def title(self) -> str:
        return f"Suspend {who(self.tenants)}"

    def scope(self, _: datetime, /) -> ChangeScope:
        return scope_by_status(
            self.tenants,
            TenantStatus.ACTIVE,
            "active",
            "What runs goes on; nothing new starts until the tenants are resumed.",
        )

    def concerns(self, history: TenantHistory, /) -> bool:
        return history.slug in self.tenants

    def after(
        self, history: TenantHistory, now: datetime, _: PlanTerms | None = None, /
    ) -> TenantHistory:
        return suspended(history, now)

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        suspensions.suspend(tenants=scope.tenants, **context.arguments)
        return new_intent(scope)


@dataclass(frozen=True, slots=True)
class Resume(ProposedChange):
    """Lets the tenants start work again."""

    permission: ClassVar = Permission.OPERATE

    tenants: Names

    def title(self) -> str:
        return f"Resume {who(self.tenants)}"

    def scope(self, _: datetime, /) -> ChangeScope:
        return scope_by_status(self.tenants, TenantStatus.SUSPENDED, "suspended")

    def concerns(self, history: TenantHistory, /) -> bool:
        return history.slug in self.tenants

    def after(
        self, history: TenantHistory, now: datetime, _: PlanTerms | None = None, /
    ) -> TenantHistory:
        return resumed(history, now)

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        suspensions.resume(tenants=scope.tenants, **context.arguments)
        return new_intent(scope)


@dataclass(frozen=True, slots=True)
class Onboard(ProposedChange):
    """A new tenant with its plan and its placements, in one step."""

    slug: Name
    name: Name
    plan: Name
    contact: Text = ""
    group: Text = ""
    labels: Labels = field(default_factory=dict)
    placements: tuple[Place, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Onboard:
        """Each place is the new tenant's."""
        places = tuple(
            Place(tenant=values["slug"], **place) for place in values.get("placements", ())
        )
        return cls(**{**values, "placements": places})

    def title(self) -> str:
        return f"On-board {self.slug} on {self.plan}"

    def scope(self, _: datetime, /) -> ChangeScope:
        self._require_free_slug()
        version = latest_version(plan_offered(self.plan))
        tenant = Tenant(slug=self.slug, name=self.name, group=self.group)
        planned = [place.planned(tenant, -n) for n, place in enumerate(self.placements, start=1)]
        nowhere = "The tenant is placed nowhere yet: nothing is enforced."
        return ChangeScope(
            tenants=[tenant],
            planned=planned,
            version=version,
            terms=load_terms([version.pk])[version.pk],
            warnings=() if planned else (nowhere,),
        )

    def _require_free_slug(self) -> None:
        if Tenant.objects.filter(slug=self.slug).exists():
            raise DomainError(
                "taken",
                f"Slug: {self.slug!r} is taken; slugs are never given twice.",
                field="slug",
                status=409,
            )
        check_slug(self.slug)
        if not dns_label.regex.match(self.slug):  # type: ignore[union-attr]  # compiled lazily
            raise DomainError("invalid", f"Slug: {self.slug!r}: {dns_label.message}", field="slug")

    def concerns(self, history: TenantHistory, /) -> bool:
        return history.slug == self.slug

    def after(
        self, history: TenantHistory, now: datetime, terms: PlanTerms | None = None, /
    ) -> TenantHistory:
        return subscribed(history, terms, now)

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        tenant = tenants.create_tenant(
            slug=self.slug,
            name=self.name,
            labels=self.labels,
            contact=self.contact,
            group=self.group,
            actor=context.actor,
            reason=context.reason,
        )
        if scope.version is not None:
            subscribe(tenants=[tenant], version=scope.version, **context.arguments)
        return place_all(scope, tenant, context)


@dataclass(frozen=True, slots=True)
class Offboard(ProposedChange):
    """Takes a tenant away; the row stays. `confirm`, or the argument of apply, repeats the slug."""

    removes: ClassVar = True

    tenant: Name
    confirm: Text = ""

    def title(self) -> str:
        return f"Off-board {self.tenant}"

    def scope(self, _: datetime, /) -> ChangeScope:
        (tenant,) = tenants_named([self.tenant], field="tenant")
        placements = with_tenant_and_target(Placement.objects.filter(tenant=tenant, leaving=False))
        return ChangeScope(
            tenants=[tenant],
            placements=placements,
            leaving=frozenset(placement.pk for placement in placements),
            stops=True,
            confirm=tenant.slug,
            warnings=(DELETES,) if placements else (),
        )

    def concerns(self, history: TenantHistory, /) -> bool:
        return history.slug == self.tenant

    def after(
        self, history: TenantHistory, now: datetime, _: PlanTerms | None = None, /
    ) -> TenantHistory:
        return offboarded(history, now)

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        tenants.offboard(tenants=scope.tenants, actor=context.actor, reason=context.reason)
        tenants.leave(placements=scope.placements, actor=context.actor, reason=context.reason)
        unsubscribe(tenants=scope.tenants, **context.arguments)
        adjustments.end_all(tenants=scope.tenants, **context.arguments)
        return new_intent(scope)
