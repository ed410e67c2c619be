"""What the REST list of actions can be filtered by."""

from __future__ import annotations

import django_filters as df

from observability.actions.models import OrderStatus
from observability.jobs.models import ENGINE_CHOICES


class OrderFilters(df.FilterSet):
    """Actions."""

    status = df.ChoiceFilter(choices=OrderStatus.choices)
    engine = df.ChoiceFilter(choices=ENGINE_CHOICES)
    verb = df.CharFilter(label="Name of a verb.")
    actor = df.CharFilter(label="Who asked for it.")
    tenant = df.CharFilter(field_name="tenant__slug", label="Slug of a tenant.")
    target = df.CharFilter(field_name="target__slug", label="Slug of a target.")
    run = df.NumberFilter(field_name="run_id", label="Id of a run.")
