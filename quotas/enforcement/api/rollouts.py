"""Rollouts, their items, and drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.idempotency import Idempotent
from console.access.rights import actor_of
from console.errors import DomainError
from console.rest.body import (
    body_of,
    refuse_rest,
    take_flag,
    take_reason,
)
from console.rest.views import (
    READ,
    Row,
    RowDetail,
    RowList,
)
from quotas.enforcement.filters import DriftFilters, ItemFilters, RolloutFilters
from quotas.enforcement.models import Drift, Rollout, RolloutItem
from quotas.enforcement.selectors.rest_lists import item_states
from quotas.enforcement.selectors.rollouts import progress
from quotas.enforcement.serializers import rollouts as said
from quotas.enforcement.services.rollouts import retry_items


class RolloutList(RowList):
    """Rollouts, the newest first."""

    required_permissions: ClassVar = READ
    queryset = Rollout.objects.all()
    serializer_class = said.ROLLOUT
    filterset_class = RolloutFilters
    cursor_key = ("created_at", "id")
    cursor_descending = True

    def shape(self, rows: Sequence[Rollout]) -> list[Row]:
        states = item_states([row.pk for row in rows])
        return [said.rollout_row(row, states[row.pk]) for row in rows]


class RolloutDetail(RowDetail):
    """One rollout."""

    required_permissions: ClassVar = READ
    queryset = Rollout.objects.all()
    serializer_class = said.ROLLOUT_DETAIL

    def shape(self, row: Rollout) -> Row:
        live = progress(row, now=timezone.now())
        targets = [said.progress_row(target) for target in live.targets]
        return {**said.rollout_row(row, item_states([row.pk])[row.pk]), "targets": targets}


class ItemList(RowList):
    """What a rollout did to each placement."""

    required_permissions: ClassVar = READ
    queryset = RolloutItem.objects.select_related("tenant", "target", "placement")
    serializer_class = said.ITEM
    filterset_class = ItemFilters

    def get_queryset(self) -> QuerySet[RolloutItem]:
        rollout = get_object_or_404(Rollout, pk=self.kwargs["pk"])
        return self.queryset.filter(rollout=rollout)

    def shape(self, rows: Sequence[RolloutItem]) -> list[Row]:
        return [said.item_row(row) for row in rows]


class RolloutRetry(Idempotent, APIView):
    """What is not done tries again."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=said.RETRY, responses={202: said.RETRIED})
    def post(self, request: Request, pk: int) -> Response:
        """Lets failed, refused, conflicting and backing-off items try again now."""
        rollout = get_object_or_404(Rollout, pk=pk)
        body = body_of(request)
        reason = take_reason(body)
        force = take_flag(body, "force")
        items = _items(body.pop("items", None))
        refuse_rest(body, ("items", "force", "reason"))
        retried = retry_items(
            rollout=rollout,
            actor=actor_of(request),
            reason=reason,
            at=timezone.now(),
            items=items,
            force=force,
        )
        rollout.refresh_from_db()
        row = said.rollout_row(rollout, item_states([pk])[pk])
        return Response({"retried": retried, "rollout": row}, status=status.HTTP_202_ACCEPTED)


class DriftList(RowList):
    """What somebody else changed of ours, the newest first."""

    required_permissions: ClassVar = READ
    queryset = Drift.objects.select_related("tenant", "target", "placement")
    serializer_class = said.DRIFT
    filterset_class = DriftFilters
    cursor_key = ("found_at", "id")
    cursor_descending = True

    def shape(self, rows: Sequence[Drift]) -> list[Row]:
        return [said.drift_row(row) for row in rows]


def _items(value: Any) -> set[int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(
        isinstance(each, int) and not isinstance(each, bool) for each in value
    ):
        raise DomainError(
            "invalid",
            f"items: {str(value)[:80]!r} is not accepted; use a list of item ids.",
            field="items",
        )
    return set(value)
