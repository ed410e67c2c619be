"""Rollouts, their items, and drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

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
from console.access.rights import actor_of, person_of
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
from quotas.enforcement.serializers import rollouts as shapes
from quotas.enforcement.services.rollouts import retry_items


class RolloutList(RowList):
    """Rollouts, the newest first."""

    required_permissions: ClassVar = READ
    queryset = Rollout.objects.all()
    serializer_class = shapes.ROLLOUT
    filterset_class = RolloutFilters
    cursor_key = ("created_at", "id")
    cursor_descending = True

    def shape(self, rows: Sequence[Rollout]) -> list[Row]:
        states = item_states([row.pk for row in rows])
        return [shapes.rollout_row(row, states[row.pk]) for row in rows]


class RolloutDetail(RowDetail):
    """One rollout."""

    required_permissions: ClassVar = READ
    queryset = Rollout.objects.all()
    serializer_class = shapes.ROLLOUT_DETAIL

    def shape(self, row: Rollout) -> Row:
        live = progress(row, now=timezone.now())
        targets = [shapes.progress_row(target) for target in live.targets]
        return {**shapes.rollout_row(row, item_states([row.pk])[row.pk]), "targets": targets}


class ItemList(RowList):
    """What a rollout did to each placement."""

    required_permissions: ClassVar = READ
    queryset = RolloutItem.objects.select_related("tenant", "target", "placement")
    serializer_class = shapes.ITEM
    filterset_class = ItemFilters

    def get_queryset(self) -> QuerySet[RolloutItem]:
        rollout = get_object_or_404(
            Rollout.objects.visible_to(person_of(self.request)), pk=self.kwargs["pk"]
        )
        return super().get_queryset().filter(rollout=rollout)

    def shape(self, rows: Sequence[RolloutItem]) -> list[Row]:
        return [shapes.item_row(row) for row in rows]


class RolloutRetry(Idempotent, APIView):
    """What is not done tries again."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=shapes.Retry, responses={202: shapes.RETRIED})
    def post(self, request: Request, pk: int) -> Response:
        """Lets failed, refused, conflicting and backing-off items try again now."""
        rollout = get_object_or_404(Rollout.objects.visible_to(person_of(request)), pk=pk)
        body = shapes.Retry.read(request)
        items = body.get("items")
        retried = retry_items(
            rollout=rollout,
            actor=actor_of(request),
            reason=body["reason"],
            at=timezone.now(),
            items=None if items is None else set(items),
            force=body["force"],
        )
        rollout.refresh_from_db()
        row = shapes.rollout_row(rollout, item_states([pk])[pk])
        return Response({"retried": retried, "rollout": row}, status=status.HTTP_202_ACCEPTED)


class DriftList(RowList):
    """What somebody else changed of ours, the newest first."""

    required_permissions: ClassVar = READ
    queryset = Drift.objects.select_related("tenant", "target", "placement")
    serializer_class = shapes.DRIFT
    filterset_class = DriftFilters
    cursor_key = ("found_at", "id")
    cursor_descending = True

    def shape(self, rows: Sequence[Drift]) -> list[Row]:
        return [shapes.drift_row(row) for row in rows]
