"""Verbs on plans: rows and ledger entries only, nothing is pushed.

Whoever wants the planes to follow goes through quotas.changes, which calls these and makes the
rollout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from console.audit import services as audit
from console.audit.services import Actor
from console.database.generations import require_clean
from console.errors import DomainError
from console.pages.plural import plural
from quotas.plans.contracts import Policy, policy_from_json, policy_to_json
from quotas.plans.limits import format_limit, parse_key
from quotas.plans.models import Limit, Plan, PlanVersion
from quotas.plans.rules.soundness import require_valid
from quotas.plans.services.subscriptions import subscribe
from tenants.models import Tenant
from tenants.rules import check_slug

Limits = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Published:
    """A plan version that was published, and how many tenants it took along."""

    version: PlanVersion
    moved: int


@transaction.atomic
def create_plan(
    *,
    slug: str,
    name: str,
    limits: Limits,
    actor: Actor,
    reason: str,
    policy: Policy | None = None,
    description: str = "",
    at: datetime | None = None,
) -> PlanVersion:
    """A new plan with its version 1. Limits are in base units, keys in their one spelling."""
    reason = audit.require_reason(reason)
    require_valid(limits)
    plan = Plan(slug=check_slug(slug), name=name.strip() or slug, description=description.strip())
    require_clean(plan)
    plan.save(force_insert=True)
    version = _insert_version(plan, 1, limits, policy or Policy(), actor, reason, at)
    after = {"name": plan.name, "version": 1, **terms_values(limits, policy or Policy())}
    _record(plan, "plan.create", actor=actor, reason=reason, after=after)
    return version


def publish_version(
    *,
    plan: Plan,
    base_version: int,
    limits: Limits,
    policy: Policy,
    actor: Actor,
    reason: str,
    at: datetime | None = None,
) -> Published:
    """The next version, and every tenant of the plan moved to it at the same moment.

    Raises DomainError: "plan_moved_on" (409, detail: version, author, reason, published_at) when
    `base_version` is no longer the latest, "unchanged" when the terms are those it already has.
    """
    reason = audit.require_reason(reason)
    require_valid(limits)
    at = at or timezone.now()
    try:
        with transaction.atomic():
            Plan.objects.select_for_update().get(pk=plan.pk)
            before = latest_version(plan)
            require_latest(before, base_version)
            was = stored_terms(before)
            now = terms_values(limits, policy)
            if was == now:
                raise DomainError("unchanged", f"{before} says exactly this already.")
            version = _insert_version(plan, base_version + 1, limits, policy, actor, reason, at)
            _record(
                version, "plan.version.publish", actor=actor, reason=reason, before=was, after=now
            )
            tenants = subscribers(plan)
            moved = subscribe(tenants=tenants, version=version, actor=actor, reason=reason, at=at)
    except IntegrityError:
        # Two people published the same next number; the database let one of them through.
        require_latest(latest_version(plan), base_version)
        raise
    return Published(version, len(moved))


@transaction.atomic
def update_plan(
    *,
    plan: Plan,
    actor: Actor,
    reason: str,
    name: str | None = None,
    description: str | None = None,
) -> Plan:
    """Changes the texts of a plan (None leaves one as it is); its terms are in its versions."""
    reason = audit.require_reason(reason)
    plan = Plan.objects.select_for_update().get(pk=plan.pk)
    texts = {"name": name, "description": description}
    before = {field: getattr(plan, field) for field in texts}
    after = {
        field: text.strip()
        for field, text in texts.items()
        if text is not None and text.strip() != before[field]
    }
    if after:
        for field, text in after.items():
            setattr(plan, field, text)
        require_clean(plan)
        plan.save(update_fields=list(after))
        was = {field: before[field] for field in after}
        _record(plan, "plan.update", actor=actor, reason=reason, before=was, after=after)
    return plan


@transaction.atomic
def archive_plan(*, plan: Plan, actor: Actor, reason: str, at: datetime | None = None) -> Plan:
    """Takes a plan off the list of offers. Raises DomainError("plan_in_use", 409)."""
    reason = audit.require_reason(reason)
    count = len(subscribers(plan))
    if count:
        raise DomainError(
            "plan_in_use",
            f"{plan.slug} has {plural(count, 'tenant')}; move them to another plan first.",
            status=409,
            detail={"tenants": count},
        )
    at = at or timezone.now()
    if Plan.objects.filter(pk=plan.pk, archived_at=None).update(archived_at=at):
        plan.archived_at = at
        after = {"archived_at": at}
        _record(plan, "plan.archive", actor=actor, reason=reason, after=after)
    return plan


def latest_version(plan: Plan) -> PlanVersion:
    """The newest version of a plan, as committed."""
    return PlanVersion.objects.filter(plan=plan).select_related("plan", "author").latest("number")


def require_latest(latest: PlanVersion, base_version: int) -> None:
    """Raises DomainError("plan_moved_on", 409) unless `base_version` is the latest there is."""
    if latest.number == base_version:
        return
    if base_version > latest.number:
        raise DomainError(
            "unknown_version",
            f"{latest.plan.slug} has no version {base_version}; its latest is {latest.number}.",
            field="base_version",
        )
    author = latest.author.get_username() if latest.author else "a command"
    raise DomainError(
        "plan_moved_on",
        f"You edited version {base_version} of {latest.plan.slug}, but {author} published version "
        f"{latest.number} meanwhile ({latest.reason}). Nothing was overwritten: look at it, then "
        "repeat your edit on top of it.",
        field="base_version",
        status=409,
        detail={
            "version": latest.number,
            "author": author,
            "reason": latest.reason,
            "published_at": latest.created_at.isoformat(),
        },
    )


def subscribers(plan: Plan) -> list[Tenant]:
    """The tenants that have the plan now, in any version."""
    return list(
        Tenant.objects.filter(
            subscriptions__version__plan=plan, subscriptions__ends_at=None
        ).order_by("pk")
    )


def terms_values(limits: Limits, policy: Policy) -> dict[str, Any]:
    """A version's terms as the ledger and YAML show them: limits as exact text."""
    shown = {key: format_limit(parse_key(key), value) for key, value in sorted(limits.items())}
    return {"limits": shown, "policy": policy_to_json(policy)}


def stored_terms(version: PlanVersion) -> dict[str, Any]:
    """The same for a stored version."""
    from_rows = dict(version.limits.values_list("key", "value"))
    return terms_values(from_rows, policy_from_json(version.policy))


def _insert_version(
    plan: Plan,
    number: int,
    limits: Limits,
    policy: Policy,
    actor: Actor,
    reason: str,
    at: datetime | None,
) -> PlanVersion:
    version = PlanVersion.objects.create(
        plan=plan,
        number=number,
        policy=policy_to_json(policy),
        reason=reason,
        author=actor.user,
        created_at=at or timezone.now(),
    )
    Limit.objects.bulk_create(
        [Limit(version=version, key=key, value=value) for key, value in sorted(limits.items())]
    )
    return version


def _record(row: Plan | PlanVersion, action: str, **rest: Any) -> None:
    audit.record(
        action=action,
        object_type=row._meta.model_name or "",
        object_id=row.pk,
        object_label=str(row),
        **rest,
    )
