"""Tenants and placements as the REST API says them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from console.rest.fields import Choice, JSONObject, Reason, Text
from console.rest.serializers import Body, described
from console.rest.views import Row
from quotas.enforcement.charts import LimitLine
from quotas.enforcement.models import Condition, PlacementState, TenantState
from quotas.enforcement.selectors.rest_lists import PlanHeld
from quotas.enforcement.selectors.target_loops import NOW, condition_now
from quotas.enforcement.selectors.tenant_page import PlacementPanel
from quotas.plans.charts import unit_of
from quotas.plans.serializers import PLAN_REF, text_of
from tenants.models import DriftPolicy, Placement, Sharing, Tenant, TenantStatus

_text, _moment = serializers.CharField, serializers.DateTimeField
_integer, _flag = serializers.IntegerField, serializers.BooleanField
CONDITION_NOW = serializers.ChoiceField(
    choices=NOW,
    help_text="`unchecked` was `synced` when it was last compared, too long ago to be claimed now. "
    "Filters go by what was seen last.",
)
CONDITION_SCHEMA: dict[str, Any] = {
    "condition": CONDITION_NOW,
    "since": _moment(allow_null=True, help_text="Start of this condition."),
    "message": _text(help_text="Why, in plain words; empty when all is well."),
}
TENANT = described(
    "Tenant",
    "A customer of the platform, with its plan and the state of enforcement.",
    slug=_text(),
    name=_text(),
    status=serializers.ChoiceField(choices=TenantStatus.choices),
    labels=serializers.DictField(child=_text()),
    contact=_text(),
    group=_text(),
    plan=PLAN_REF(allow_null=True),
    **CONDITION_SCHEMA,
    fullness=serializers.FloatField(
        allow_null=True, help_text="Largest used/enforced over all limits; 1.0 is full."
    ),
    placements=_integer(),
    generation=_integer(help_text="Grows with every change of what is intended."),
    observed_at=_moment(allow_null=True),
    created_at=_moment(),
    updated_at=_moment(),
    offboarded_at=_moment(allow_null=True),
)


class TenantEdit(Body):
    """New texts of a tenant; what is left out stays."""

    name = Text(required=False)
    labels = JSONObject(child=Text(), required=False)
    contact = Text(required=False)
    group = Text(required=False)
    reason = Reason()


_PLACEMENT: dict[str, Any] = {
    "id": _integer(),
    "tenant": _text(),
    "target": _text(),
    "kind": _text(),
    "location": _text(help_text="The Kubernetes namespace or the Temporal task queue."),
    "sharing": serializers.ChoiceField(choices=Sharing.choices),
    "fairness_key": _text(),
    "drift_policy": serializers.ChoiceField(choices=DriftPolicy.choices),
    "leaving": _flag(),
    **CONDITION_SCHEMA,
    "observed_at": _moment(allow_null=True),
    "generation": _integer(),
    "observed_generation": _integer(help_text="Behind `generation` while a push is under way."),
}
PLACEMENT = described("Placement", "One tenant on one target.", **_PLACEMENT)


class PlacementEdit(Body):
    """What to do about drift at one placement."""

    drift_policy = Choice([("", "as the target says"), *DriftPolicy.choices], required=False)
    reason = Reason()


PLACEMENT_DETAIL = described(
    "PlacementDetail",
    "One tenant on one target, with all that was seen there.",
    **_PLACEMENT,
    differences=serializers.ListField(child=serializers.DictField()),
    owners=serializers.DictField(child=_text(), help_text="Field path to its owner."),
    refusals=serializers.ListField(child=serializers.DictField()),
    warnings=serializers.ListField(child=_text()),
    foreign=serializers.ListField(child=_text(), help_text="What counts there and is not ours."),
)


_QUANTITY = described(
    "Quantity",
    "A number in base units and as text; null is unlimited, or unknown.",
    value=_integer(allow_null=True),
    text=_text(),
)
_LINE = described(
    "Headroom",
    "Three numbers that are never confused, and what is left.",
    key=_text(),
    label=_text(),
    unit=_text(),
    intended=_QUANTITY(help_text="What the plan, lease or override says."),
    enforced=_QUANTITY(help_text="What the target enforces; see enforced_known."),
    enforced_known=_flag(),
    used=_QUANTITY(help_text="What is used, as the target counts it."),
    headroom=_QUANTITY(help_text="enforced minus used; below zero when over."),
    source=_text(),
    why=_text(help_text="Why a number is not known."),
)
HEADROOM = described(
    "TenantHeadroom",
    "Intended, enforced and used of every limit on every placement.",
    tenant=_text(),
    condition=CONDITION_NOW,
    placements=described(
        "PlacementHeadroom",
        "One placement.",
        placement=_integer(),
        target=_text(),
        kind=_text(),
        location=_text(),
        fairness_key=_text(),
        condition=CONDITION_NOW,
        observed_at=_moment(allow_null=True),
        limits=_LINE(many=True),
    )(many=True),
)


def tenant_row(
    tenant: Tenant, plan: PlanHeld | None, placements: int, *, unchecked: bool = False
) -> Row:
    """A tenant (with `state` selected) as `TENANT` describes it. `unchecked`: nobody compares it
    with what is intended at one of its targets."""
    state: TenantState | None = getattr(tenant, "state", None)
    return {
        "slug": tenant.slug,
        "name": tenant.name,
        "status": tenant.status,
        "labels": tenant.labels,
        "contact": tenant.contact,
        "group": tenant.group,
        "plan": {"slug": plan[0], "version": plan[1]} if plan else None,
        **condition_fields(state, unchecked=unchecked),
        "fullness": state.fullness if state else None,
        "placements": placements,
        "generation": tenant.generation,
        "observed_at": state.observed_at if state else None,
        "created_at": tenant.created_at,
        "updated_at": tenant.updated_at,
        "offboarded_at": tenant.offboarded_at,
    }


def condition_fields(state: Any, *, unchecked: bool) -> dict[str, Any]:
    """The condition as `CONDITION_SCHEMA` describes it; unknown before the first observation."""
    condition = state.condition if state else Condition.UNKNOWN.value
    return {
        "condition": condition_now(condition, unchecked=unchecked),
        "since": state.since if state else None,
        "message": state.message if state else "",
    }


def placement_row(placement: Placement, unchecked: frozenset[str]) -> dict[str, Any]:
    """A placement (tenant, target and state selected) as `PLACEMENT` describes it. `unchecked` are
    targets, by slug, that nobody compares."""
    state: PlacementState | None = getattr(placement, "state", None)
    return {
        "id": placement.pk,
        "tenant": placement.tenant.slug,
        "target": placement.target.slug,
        "kind": placement.target.kind,
        "location": placement.location,
        "sharing": placement.sharing,
        "fairness_key": placement.fairness_key,
        "drift_policy": placement.effective_drift_policy,
        "leaving": placement.leaving,
        **condition_fields(state, unchecked=placement.target.slug in unchecked),
        "observed_at": state.observed_at if state else None,
        "generation": placement.generation,
        "observed_generation": state.observed_generation if state else 0,
    }


def placement_detail(placement: Placement, unchecked: frozenset[str]) -> Row:
    """A placement as `PLACEMENT_DETAIL` describes it."""
    state: PlacementState | None = getattr(placement, "state", None)
    return {
        **placement_row(placement, unchecked),
        "differences": state.differences if state else [],
        "owners": state.owners if state else {},
        "refusals": state.refusals if state else [],
        "warnings": state.warnings if state else [],
        "foreign": [str(entry) for entry in state.foreign] if state else [],
    }


def headroom_row(panel: PlacementPanel) -> Row:
    """One placement of `HEADROOM`."""
    return {
        "placement": panel.id,
        "target": panel.target,
        "kind": panel.kind,
        "location": panel.location,
        "fairness_key": panel.fairness_key,
        "condition": panel.condition_now,
        "observed_at": panel.observed_at,
        "limits": [_line(line) for line in (*panel.usage, *panel.rules)],
    }


def _line(line: LimitLine) -> Row:
    known = line.enforced_known
    left = None
    if known and line.raw_enforced is not None and line.raw_used is not None:
        left = line.raw_enforced - line.raw_used
    return {
        "key": line.key,
        "label": line.label,
        "unit": unit_of(line.key).value,
        "intended": _quantity(line.raw_intended, text_of(line.key, line.raw_intended)),
        "enforced": _quantity(
            line.raw_enforced if known else None,
            text_of(line.key, line.raw_enforced) if known else "",
        ),
        "enforced_known": known,
        "used": _quantity(line.raw_used, line.used),
        "headroom": _quantity(left, line.headroom),
        "source": line.source,
        "why": line.why,
    }


def _quantity(value: int | None, text: str) -> Mapping[str, Any]:
    return {"value": value, "text": text}
