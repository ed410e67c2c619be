"""Changes of one limit of a tenant beside its plan: a lease for some time, or an override."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from console.access.contracts import Permission
from quotas.changes.kinds.change import ApplyContext, ProposedChange, new_intent
from quotas.changes.rules.fields import Amount, LimitName, Moment, Names, Number
from quotas.changes.rules.history import with_lease, with_override, without_adjustment
from quotas.changes.rules.titles import limit_title, moment, who
from quotas.changes.selectors.places import unknown
from quotas.changes.selectors.scope import ChangeScope, scope_of_tenants, tenants_named
from quotas.plans.contracts import PlanTerms, Source, TenantHistory
from quotas.plans.models import Lease, Override
from quotas.plans.services import adjustments
from tenants.models import Placement


@dataclass(frozen=True, slots=True)
class GrantLease(ProposedChange):
    """One limit changed until `until`, for each of the tenants."""

    permission: ClassVar = Permission.OPERATE

    tenants: Names
    key: LimitName
    value: Amount
    until: Moment

    def __post_init__(self) -> None:
        """One moment is told in one way everywhere, whatever zone it came in."""
        object.__setattr__(self, "until", self.until.astimezone(UTC))

    def title(self) -> str:
        limit = limit_title(self.key, self.value)
        return f"Lease for {who(self.tenants)}: {limit} until {moment(self.until)}"

    def scope(self, now: datetime, /) -> ChangeScope:
        adjustments.checked_key(self.key, self.value)
        adjustments.require_future(self.until, now)
        return scope_of_tenants(tenants_named(self.tenants))

    def concerns(self, history: TenantHistory, /) -> bool:
        return history.slug in self.tenants

    def after(
        self, history: TenantHistory, now: datetime, _: PlanTerms | None = None, /
    ) -> TenantHistory:
        return with_lease(history, self.key, self.value, now, self.until)

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        adjustments.grant_lease(
            tenants=scope.tenants,
            key=self.key,
            value=self.value,
            until=self.until,
            **context.arguments,
        )
        return new_intent(scope)


@dataclass(frozen=True, slots=True)
class EndLease(ProposedChange):
    """Ends a lease now."""

    permission: ClassVar = Permission.OPERATE

    lease: Number

    def title(self) -> str:
        return f"End lease {self.lease}"

    def scope(self, now: datetime, /) -> ChangeScope:
        lease = Lease.objects.at(now).select_related("tenant").filter(pk=self.lease).first()
        if lease is None:
            raise unknown("lease", self.lease, "it is not in force; it may have ended by itself")
        return scope_of_tenants([lease.tenant], row=lease)

    def concerns(self, history: TenantHistory, /) -> bool:
        return any(adjustment.ref == self._ref for adjustment in history.adjustments)

    def after(
        self, history: TenantHistory, now: datetime, _: PlanTerms | None = None, /
    ) -> TenantHistory:
        return without_adjustment(history, self._ref, now)

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        if isinstance(scope.row, Lease):
            adjustments.end_lease(lease=scope.row, **context.arguments)
        return new_intent(scope)

    @property
    def _ref(self) -> str:
        return f"{Source.LEASE}:{self.lease}"


@dataclass(frozen=True, slots=True)
class SetOverride(ProposedChange):
    """One limit that differs from the plan until it is ended; replaces an open one."""

    tenants: Names
    key: LimitName
    value: Amount

    def title(self) -> str:
        return f"Override for {who(self.tenants)}: {limit_title(self.key, self.value)}"

    def scope(self, _: datetime, /) -> ChangeScope:
        adjustments.checked_key(self.key, self.value)
        return scope_of_tenants(tenants_named(self.tenants))

    def concerns(self, history: TenantHistory, /) -> bool:
        return history.slug in self.tenants

    def after(
        self, history: TenantHistory, now: datetime, _: PlanTerms | None = None, /
    ) -> TenantHistory:
        return with_override(history, self.key, self.value, now)

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        adjustments.set_override(
            tenants=scope.tenants, key=self.key, value=self.value, **context.arguments
        )
        return new_intent(scope)


@dataclass(frozen=True, slots=True)
class EndOverride(ProposedChange):
    """Ends an override now."""

    override: Number

    def title(self) -> str:
        return f"End override {self.override}"

    def scope(self, now: datetime, /) -> ChangeScope:
        rows = Override.objects.at(now).select_related("tenant")
        override = rows.filter(pk=self.override).first()
        if override is None:
            raise unknown("override", self.override, "it is not in force; it may have been ended")
        return scope_of_tenants([override.tenant], row=override)

    def concerns(self, history: TenantHistory, /) -> bool:
        return any(adjustment.ref == self._ref for adjustment in history.adjustments)

    def after(
        self, history: TenantHistory, now: datetime, _: PlanTerms | None = None, /
    ) -> TenantHistory:
        return without_adjustment(history, self._ref, now)

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        if isinstance(scope.row, Override):
            adjustments.end_override(override=scope.row, **context.arguments)
        return new_intent(scope)

    @property
    def _ref(self) -> str:
        return f"{Source.OVERRIDE}:{self.override}"
