"""What lists of tenants, placements, targets, rollouts and drift can be filtered by."""

from __future__ import annotations

from typing import Any

import django_filters as df
from django.db.models import Q, QuerySet

from console.rest.filters import FlagFilter, MomentFilter
from quotas.enforcement.models import Condition, Drift, ItemState, Rollout, RolloutKind
from quotas.enforcement.selectors.tenant_list import TenantFilters, filtered
from tenants.models import Target, Tenant, TenantStatus

OUTCOMES = Drift._meta.get_field("outcome").choices


class TenantListFilters(df.FilterSet):
    """Tenants: the same filters as the console's list."""

    q = df.CharFilter(label="Part of the slug or the name.")
    status = df.ChoiceFilter(
        choices=TenantStatus.choices, label="Off-boarded tenants are left out unless asked for."
    )
    plan = df.CharFilter(label="Slug of the plan they have now.")
    target = df.CharFilter(label="Slug of a target they are placed on.")
    condition = df.ChoiceFilter(choices=Condition.choices)
    label = df.CharFilter(label="NAME or NAME=VALUE.")
    near = df.ChoiceFilter(
        choices=[("near", "At 90 % or more of a limit"), ("over", "Over a limit")],
        label="near: at 90 % of a limit or more; over: above one.",
    )

    def filter_queryset(self, _: QuerySet[Tenant]) -> QuerySet[Tenant]:
        """Hands over to the console's own filters."""
        chosen = {name: value or "" for name, value in self.form.cleaned_data.items()}
        return filtered(TenantFilters(**chosen), self.request.user).select_related("state")


class PlacementFilters(df.FilterSet):
    """Placements."""

    tenant = df.CharFilter(field_name="tenant__slug", label="Slug of the tenant.")
    target = df.CharFilter(field_name="target__slug", label="Slug of the target.")
    condition = df.ChoiceFilter(choices=Condition.choices, method="by_condition")

    def by_condition(self, queryset: QuerySet[Any], _: str, value: str) -> QuerySet[Any]:
        """Placements in this condition; those without a row were not seen yet."""
        wanted = Q(state__condition=value)
        if value == Condition.UNKNOWN:
            wanted |= Q(state__isnull=True)
        return queryset.filter(wanted)


class TargetFilters(df.FilterSet):
    """Targets."""

    kind = df.CharFilter(label="kubernetes or temporal.")
    enabled = FlagFilter()
    condition = df.ChoiceFilter(choices=Condition.choices, field_name="state__condition")

    class Meta:
        model = Target
        fields = ("kind", "enabled")


class RolloutFilters(df.FilterSet):
    """Rollouts."""

    kind = df.ChoiceFilter(choices=RolloutKind.choices)
    open = FlagFilter(
        field_name="finished_at", lookup_expr="isnull", label="Under way, or finished."
    )
    source = df.CharFilter(label="What it carries out, such as change:7.")

    class Meta:
        model = Rollout
        fields = ("kind", "source")


class ItemFilters(df.FilterSet):
    """Items of a rollout."""

    state = df.ChoiceFilter(choices=ItemState.choices)
    target = df.CharFilter(field_name="target__slug", label="Slug of the target.")
    tenant = df.CharFilter(field_name="tenant__slug", label="Slug of the tenant.")


class DriftFilters(df.FilterSet):
    """Drift."""

    outcome = df.ChoiceFilter(choices=OUTCOMES)
    tenant = df.CharFilter(field_name="tenant__slug", label="Slug of the tenant.")
    target = df.CharFilter(field_name="target__slug", label="Slug of the target.")
    since = MomentFilter(
        field_name="found_at", lookup_expr="gte", label="Found at this moment or later, ISO 8601."
    )

    class Meta:
        model = Drift
        fields = ("outcome",)
