"""Plans as files say them: what differs, and making it so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.audit.services import Actor
from console.errors import DomainError
from console.pages.diff import ValueChange, field_changes
from quotas.changes.contracts import Preview
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.rules.document import PlanDocument, policy_document
from quotas.changes.rules.policy import completed_policy, parse_policy
from quotas.changes.services import proposals
from quotas.enforcement.models import Rollout
from quotas.plans.contracts import policy_from_json
from quotas.plans.models import Plan
from quotas.plans.rules.soundness import require_valid, validate_limits
from quotas.plans.services.plans import (
    create_plan,
    latest_version,
    require_latest,
    stored_terms,
    subscribers,
    terms_values,
    update_plan,
)


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """What a file says differently from the plan as it is. `base` is None for a new plan; `terms`
    tells whether a version would be published, for `tenants` tenants; `warnings` what may surprise
    in its terms."""

    plan: str
    base: int | None
    changes: tuple[ValueChange, ...]
    terms: bool
    tenants: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying one document did. No version means that nothing had to be done."""

    plan: str
    version: int | None
    preview: Preview | None = None
    rollout: Rollout | None = None


def export(plan: Plan) -> PlanDocument:
    """The plan as a document says it."""
    version = latest_version(plan)
    return PlanDocument(
        plan=plan.slug,
        limits=dict(version.limits.values_list("key", "value")),
        policy=policy_document(policy_from_json(version.policy)),
        name=plan.name,
        description=plan.description,
        version=version.number,
    )


def compare(document: PlanDocument) -> PlanDifference:
    """What the document would change. Raises DomainError when it cannot be applied at all."""
    require_valid(document.limits)
    plan = Plan.objects.filter(slug=document.plan).first()
    if plan is None:
        return _new(document)
    latest = latest_version(plan)
    if document.version is not None:
        require_latest(latest, document.version)
    was = {"name": plan.name, "description": plan.description, **stored_terms(latest)}
    policy = completed_policy(policy_from_json(latest.policy), document.policy)
    now: dict[str, Any] = {
        "name": plan.name if document.name is None else document.name,
        "description": plan.description if document.description is None else document.description,
        **terms_values(document.limits, policy),
    }
    changes = tuple(field_changes(was, now))
    terms = any(was[part] != now[part] for part in ("limits", "policy"))
    tenants = len(subscribers(plan)) if terms else 0
    warnings = _warnings(document) if terms else ()
    return PlanDifference(plan.slug, latest.number, changes, terms, tenants, warnings)


def apply_document(*, document: PlanDocument, reason: str, actor: Actor) -> Applied:
    """Makes the plan what the document says; doing it again does nothing.

    New terms are published through a proposal, so that the rollout happens as from the console.
    """
    difference = compare(document)
    if difference.base is None:
        version = create_plan(
            slug=document.plan,
            name=document.name or document.plan,
            description=document.description or "",
            limits=document.limits,
            policy=parse_policy(document.policy),
            actor=actor,
            reason=reason,
        )
        return Applied(document.plan, version.number)
    if not difference.changes:
        return Applied(document.plan, None)
    plan = Plan.objects.get(slug=document.plan)
    update_plan(
        plan=plan,
        name=document.name,
        description=document.description,
        actor=actor,
        reason=reason,
    )
    if not difference.terms:
        return Applied(document.plan, difference.base)
    policy = completed_policy(policy_from_json(latest_version(plan).policy), document.policy)
    change = PublishPlan(document.plan, difference.base, document.limits, policy)
    made = proposals.apply_at_once(change=change, reason=reason, actor=actor)
    return Applied(document.plan, difference.base + 1, made.preview, made.rollout)


def _new(document: PlanDocument) -> PlanDifference:
    if document.version is not None:
        raise DomainError(
            "unknown_plan",
            f"{document.plan} does not exist, so version {document.version} of it cannot be edited;"
            " leave the version out to create the plan.",
            field="version",
        )
    now = {"name": document.name or document.plan}
    terms = terms_values(document.limits, parse_policy(document.policy))
    changes = tuple(field_changes({}, {**now, **terms}))
    return PlanDifference(
        document.plan, None, changes, terms=True, tenants=0, warnings=_warnings(document)
    )


def _warnings(document: PlanDocument) -> tuple[str, ...]:
    problems = validate_limits(document.limits)
    return tuple(problem.message for problem in problems)
