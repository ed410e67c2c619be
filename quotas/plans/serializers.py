"""Plans, limits and their intervals as the REST API says them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework import serializers

from console.rest.fields import Reason, Text
from console.rest.serializers import Body, described
from console.rest.views import Row
from quotas.plans.charts import describe, human, label_of, unit_of
from quotas.plans.contracts import EffectiveLimit, EffectiveLimits, Unit, policy_to_json
from quotas.plans.limits import format_limit
from quotas.plans.models import Lease, Override, Plan, PlanVersion, Subscription

_SOURCES = ("plan", "override", "lease", "suspension")
_text, _moment = serializers.CharField, serializers.DateTimeField
_integer = serializers.IntegerField
_AMOUNT: dict[str, Any] = {
    "key": _text(),
    "value": _integer(allow_null=True, help_text="Base units; null is unlimited, 0 is none."),
    "text": _text(help_text="The same as people write it: 40, 96Gi, 20/s, unlimited."),
    "unit": serializers.ChoiceField(choices=[unit.value for unit in Unit]),
}
AMOUNT = described("Amount", "One limit.", **_AMOUNT)
PLAN_REF = described("PlanRef", "A plan and which version of it.", slug=_text(), version=_integer())
_PLAN: dict[str, Any] = {
    "slug": _text(),
    "name": _text(),
    "description": _text(),
    "version": _integer(help_text="The latest."),
    "tenants": _integer(help_text="How many have it now, in any version."),
    "archived_at": _moment(allow_null=True),
    "created_at": _moment(),
    "published_at": _moment(allow_null=True, help_text="When the latest version was published."),
}
PLAN = described("Plan", "A named offer; what it grants is in its versions.", **_PLAN)
VERSION = described(
    "PlanVersion",
    "One immutable edition of a plan.",
    plan=_text(),
    number=_integer(),
    limits=AMOUNT(many=True),
    policy=serializers.DictField(),
    reason=_text(),
    author=_text(allow_null=True),
    tenants=_integer(help_text="How many have this version now."),
    created_at=_moment(),
)


class PlanEdit(Body):
    """New texts of a plan; what is left out stays."""

    name = Text(required=False)
    description = Text(required=False)
    reason = Reason()


SUBSCRIPTION = described(
    "Subscription",
    "Which tenant had which plan version, from when to when.",
    id=_integer(),
    tenant=_text(),
    plan=_text(),
    version=_integer(),
    starts_at=_moment(),
    ends_at=_moment(allow_null=True),
    active=serializers.BooleanField(),
)
_ADJUSTMENT: dict[str, Any] = {
    "id": _integer(),
    "tenant": _text(),
    **_AMOUNT,
    "label": _text(),
    "reason": _text(),
    "author": _text(),
    "starts_at": _moment(),
    "active": serializers.BooleanField(),
    "created_at": _moment(),
}
OVERRIDE = described(
    "Override",
    "A limit of one tenant that differs from its plan until somebody ends it.",
    **_ADJUSTMENT,
    ends_at=_moment(allow_null=True),
)
LEASE = described(
    "Lease",
    "A time-boxed override: it ends by itself.",
    **_ADJUSTMENT,
    ends_at=_moment(),
    ended_by=_text(help_text="Who ended it early; empty when nobody did."),
)
EFFECTIVE_LIMIT = described(
    "EffectiveLimit",
    "One limit in force, where it comes from, and what the plan alone would say.",
    **_AMOUNT,
    label=_text(),
    source=serializers.ChoiceField(choices=_SOURCES),
    ref=_text(help_text="Which row says so: plan:gold@3, lease:42, override:7."),
    reason=_text(),
    author=_text(),
    until=_moment(allow_null=True),
    in_plan=serializers.BooleanField(),
    plan_value=_integer(allow_null=True),
    plan_text=_text(allow_null=True),
)
EFFECTIVE_LIMITS = described(
    "EffectiveLimits",
    "What a tenant may use at a moment. Without a plan in force nothing is limited or enforced.",
    tenant=_text(),
    at=_moment(),
    plan=PLAN_REF(allow_null=True),
    suspended=serializers.BooleanField(),
    suspended_reason=_text(),
    policy=serializers.DictField(allow_null=True),
    limits=EFFECTIVE_LIMIT(many=True),
)


def text_of(key: str, value: int | None) -> str:
    """A limit's value as it can be sent back, exact."""
    known = describe(key)
    return format_limit(known, value) if known else human(key, value)


def amount(key: str, value: int | None) -> dict[str, Any]:
    """One limit: key, base value, text, unit."""
    return {"key": key, "value": value, "text": text_of(key, value), "unit": unit_of(key).value}


def plan_row(plan: Plan, latest: PlanVersion | None, tenants: int) -> Row:
    """A plan as `PLAN` describes it."""
    return {
        "slug": plan.slug,
        "name": plan.name,
        "description": plan.description,
        "version": latest.number if latest else 0,
        "tenants": tenants,
        "archived_at": plan.archived_at,
        "created_at": plan.created_at,
        "published_at": latest.created_at if latest else None,
    }


def version_row(version: PlanVersion, limits: Mapping[str, int | None], tenants: int) -> Row:
    """A version (plan and author loaded) as `VERSION` describes it."""
    return {
        "plan": version.plan.slug,
        "number": version.number,
        "limits": [amount(key, value) for key, value in sorted(limits.items())],
        "policy": version.policy,
        "reason": version.reason,
        "author": version.author.get_username() if version.author else None,
        "tenants": tenants,
        "created_at": version.created_at,
    }


def subscription_row(row: Subscription, now: datetime) -> Row:
    """A subscription as `SUBSCRIPTION` describes it."""
    return {
        "id": row.pk,
        "tenant": row.tenant.slug,
        "plan": row.version.plan.slug,
        "version": row.version.number,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "active": _active(row, now),
    }


def adjustment_row(row: Lease | Override, now: datetime) -> Row:
    """A lease or an override as `LEASE` and `OVERRIDE` describe them."""
    values = {
        "id": row.pk,
        "tenant": row.tenant.slug,
        **amount(row.key, row.value),
        "label": label_of(row.key),
        "reason": row.reason,
        "author": row.author,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "active": _active(row, now),
        "created_at": row.created_at,
    }
    return {**values, "ended_by": row.ended_by} if isinstance(row, Lease) else values


def effective_row(tenant: str, at: datetime, effective: EffectiveLimits | None) -> Row:
    """Effective limits as `EFFECTIVE_LIMITS` describes them."""
    if effective is None:
        return {
            "tenant": tenant,
            "at": at,
            "plan": None,
            "suspended": False,
            "suspended_reason": "",
            "policy": None,
            "limits": [],
        }
    return {
        "tenant": tenant,
        "at": at,
        "plan": {"slug": effective.plan, "version": effective.version},
        "suspended": effective.suspended,
        "suspended_reason": effective.suspended_reason,
        "policy": policy_to_json(effective.policy),
        "limits": [_effective(limit) for _, limit in sorted(effective.limits.items())],
    }


def _effective(limit: EffectiveLimit) -> Row:
    return {
        **amount(limit.key, limit.value),
        "label": label_of(limit.key),
        "source": limit.source.value,
        "ref": limit.ref,
        "reason": limit.reason,
        "author": limit.author,
        "until": limit.until,
        "in_plan": limit.in_plan,
        "plan_value": limit.plan_value,
        "plan_text": text_of(limit.key, limit.plan_value) if limit.in_plan else None,
    }


def _active(row: Subscription | Lease | Override, now: datetime) -> bool:
    return row.starts_at <= now and (row.ends_at is None or now < row.ends_at)
