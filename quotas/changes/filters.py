"""What the list of proposals can be filtered by."""

from __future__ import annotations

import django_filters as df

from quotas.changes.kinds.registry import KINDS
from quotas.changes.models import ProposalStatus


class ProposalFilters(df.FilterSet):
    """Proposals."""

    status = df.ChoiceFilter(choices=ProposalStatus.choices)
    kind = df.ChoiceFilter(choices=[(kind, kind) for kind in KINDS])
    author = df.CharFilter(field_name="author_name", label="Who proposed it.")


class ObjectFilters(df.FilterSet):
    """The objects of a preview, which is a stored list: its view applies them."""

    tenant = df.CharFilter(label="Slug of a tenant.")
    target = df.CharFilter(label="Slug of a target.")
