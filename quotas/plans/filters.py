"""What lists of plans and of intervals can be filtered by."""

from __future__ import annotations

from typing import Any

import django_filters as df
from django.db.models import Q, QuerySet
from django.utils import timezone

from console.rest.filters import FlagFilter
from quotas.plans.models import IntervalQuerySet, Plan


class PlanFilters(df.FilterSet):
    """Plans."""

    q = df.CharFilter(method="by_text", label="Part of the slug or the name.")
    archived = FlagFilter(
        field_name="archived_at", lookup_expr="isnull", exclude=True, label="Put away, or offered."
    )

    def by_text(self, queryset: QuerySet[Plan], _: str, value: str) -> QuerySet[Plan]:
        """Plans whose slug or name has the text in it."""
        return queryset.filter(Q(slug__icontains=value.lower()) | Q(name__icontains=value))


class IntervalFilters(df.FilterSet):
    """What every list of intervals can be filtered by."""

    tenant = df.CharFilter(field_name="tenant__slug", label="Slug of the tenant.")
    active = FlagFilter(method="by_active", label="In force now, or not.")

    def by_active(self, queryset: IntervalQuerySet, _: str, value: Any) -> QuerySet[Any]:
        """Rows that are in force now, or those that are not."""
        now = timezone.now()
        if value:
            return queryset.at(now)
        return queryset.filter(Q(starts_at__gt=now) | Q(ends_at__lte=now))


class SubscriptionFilters(IntervalFilters):
    """Subscriptions."""

    plan = df.CharFilter(field_name="version__plan__slug", label="Slug of the plan.")


class AdjustmentFilters(IntervalFilters):
    """Leases and overrides."""

    key = df.CharFilter(label="The limit, such as requests.cpu.")
