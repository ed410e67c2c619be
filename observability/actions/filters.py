"""What the REST list of actions can be filtered by."""

from __future__ import annotations

import django_filters as df

from console.rest.filters import IdFilter
from observability.actions.models import ActionStatus
from observability.jobs.models import ENGINE_CHOICES


class ActionFilters(df.FilterSet):
    """Actions."""

    status = df.ChoiceFilter(choices=ActionStatus.choices)
    engine = df.ChoiceFilter(choices=ENGINE_CHOICES)
    verb = df.CharFilter(label="Name of a verb.")
    actor = df.CharFilter(label="Who asked for it.")
    tenant = df.CharFilter(field_name="tenant__slug", label="Slug of a tenant.")
    target = df.CharFilter(field_name="target__slug", label="Slug of a target.")
    run = IdFilter(field_name="run_id", label="Id of a run.")
