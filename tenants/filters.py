"""What the lists of this app can be filtered by."""

from __future__ import annotations

import django_filters as df

from tenants.models import Reader, UnreadableObject


class UnreadableFilters(df.FilterSet):
    """What could not be read."""

    tenant = df.CharFilter(field_name="tenant__slug", label="Slug of the tenant.")
    target = df.CharFilter(field_name="target__slug", label="Slug of the target.")
    reader = df.ChoiceFilter(choices=Reader.choices)

    class Meta:
        model = UnreadableObject
        fields = ("reader",)
