"""Changes of plans, and of who has which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from console.errors import DomainError
from quotas.changes.kinds.change import ApplyContext, ProposedChange, new_intent
from quotas.changes.rules.fields import Limits, MaybeNumber, Name, Names, NextPolicy, Number
from quotas.changes.rules.history import open_interval, subscribed
from quotas.changes.rules.titles import who
from quotas.changes.selectors.scope import (
    ChangeScope,
    plan_offered,
    policy_of,
    scope_of_tenants,
    tenants_named,
    version_numbered,
)
from quotas.plans.contracts import PlanTerms, TenantHistory
from quotas.plans.models import Plan
from quotas.plans.rules.soundness import require_valid
from quotas.plans.selectors import load_terms
from quotas.plans.services.plans import (
    latest_version,
    publish_version,
    require_latest,
    subscribers,
)
from quotas.plans.services.subscriptions import subscribe
from tenants.models import Placement


@dataclass(frozen=True, slots=True)
class PublishPlan(ProposedChange):
    """The next version of a plan, for everybody who has the plan.

    `base_version` is the version that was edited: if it is no longer the latest, somebody else was
    faster and the change is refused.
    """

    plan: Name
    base_version: Number
    limits: Limits
    policy: NextPolicy = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> PublishPlan:
        """The policy's fields that are said, as they are read; the others stay as they were."""
        policy = values.get("policy")
        if not policy:
            return cls(**{**values, "policy": None})
        before = policy_of(values["plan"], values["base_version"])
        return cls(**{**values, "policy": replace(before, **policy)})

    def title(self) -> str:
        return f"{self.plan} v{self.base_version} → v{self.base_version + 1}"

    def scope(self, _: datetime, /) -> ChangeScope:
        plan = plan_offered(self.plan)
        latest = latest_version(plan)
        require_latest(latest, self.base_version)
        require_valid(self.limits)
        before = load_terms([latest.pk])[latest.pk]
        policy = before.policy if self.policy is None else self.policy
        if (before.limits, before.policy) == (self.limits, policy):
            raise DomainError("unchanged", f"{latest} says exactly this already.")
        terms = PlanTerms(plan.slug, latest.number + 1, dict(self.limits), policy)
        return scope_of_tenants(subscribers(plan), terms=terms, version=latest)

    def concerns(self, history: TenantHistory, /) -> bool:
        current = open_interval(history.subscriptions)
        return current is not None and current.value.plan == self.plan

    def after(
        self, history: TenantHistory, now: datetime, terms: PlanTerms | None = None, /
    ) -> TenantHistory:
        return subscribed(history, terms, now)

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        if scope.terms is None:
            raise ValueError("a plan version is published with its terms")
        publish_version(
            plan=Plan.objects.get(slug=self.plan),
            base_version=self.base_version,
            limits=self.limits,
            policy=scope.terms.policy,
            **context.arguments,
        )
        return new_intent(scope)


@dataclass(frozen=True, slots=True)
class MovePlan(ProposedChange):
    """Puts tenants on a plan (its latest version, unless `version` says another)."""

    tenants: Names
    plan: Name
    version: MaybeNumber = None

    def title(self) -> str:
        version = f" v{self.version}" if self.version else ""
        return f"Move {who(self.tenants)} to {self.plan}{version}"

    def scope(self, _: datetime, /) -> ChangeScope:
        plan = plan_offered(self.plan)
        version = latest_version(plan)
        if self.version is not None and self.version != version.number:
            version = version_numbered(plan, self.version)
        terms = load_terms([version.pk])[version.pk]
        return scope_of_tenants(tenants_named(self.tenants), terms=terms, version=version)

    def concerns(self, history: TenantHistory, /) -> bool:
        return history.slug in self.tenants

    def after(
        self, history: TenantHistory, now: datetime, terms: PlanTerms | None = None, /
    ) -> TenantHistory:
        return subscribed(history, terms, now)

    def carry_out(self, scope: ChangeScope, context: ApplyContext) -> Sequence[Placement]:
        if scope.version is None:
            raise ValueError("tenants are moved to a version that exists")
        subscribe(tenants=scope.tenants, version=scope.version, **context.arguments)
        return new_intent(scope)
