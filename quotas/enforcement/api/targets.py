"""Targets: what they are, how they are, and whether they answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

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
from console.rest.serializers import Nothing
from console.rest.views import (
    READ,
    Row,
    RowList,
    TaggedDetail,
)
from quotas.enforcement.adapters import registry
from quotas.enforcement.filters import TargetFilters
from quotas.enforcement.models import TargetState
from quotas.enforcement.reconcile import operations
from quotas.enforcement.selectors.rest_lists import placements_by
from quotas.enforcement.selectors.target_loops import loop_report
from quotas.enforcement.serializers import targets as shapes
from quotas.enforcement.services import edits
from tenants.models import Target


def _target_rows(targets: Sequence[Target]) -> list[Row]:
    placed = placements_by("target_id", [target.pk for target in targets])
    unchecked = loop_report(timezone.now()).unchecked
    return [
        shapes.target_row(target, placed.get(target.pk, 0), unchecked=target.slug in unchecked)
        for target in targets
    ]


class TargetList(Idempotent, RowList):
    """Targets by slug, each with its health."""

    required_permissions: ClassVar = {**READ, "POST": Permission.ADMINISTER}
    queryset = Target.objects.select_related("state")
    serializer_class = shapes.TARGET
    filterset_class = TargetFilters
    cursor_key = ("slug",)

    def shape(self, rows: Sequence[Target]) -> list[Row]:
        return _target_rows(rows)

    @extend_schema(request=shapes.NewTarget, responses={201: shapes.TARGET})
    def post(self, request: Request) -> Response:
        """A new target. The credential is a reference to where it is, never the secret."""
        body = shapes.NewTarget.read(request)
        target = edits.add_target(kinds=registry.kinds(), actor=actor_of(request), **body)
        return Response(shapes.target_row(target, 0), status=status.HTTP_201_CREATED)


class TargetDetail(TaggedDetail):
    """One target."""

    required_permissions: ClassVar = {**READ, "PATCH": Permission.ADMINISTER}
    queryset = Target.objects.select_related("state")
    serializer_class = shapes.TARGET
    lookup_field = "slug"

    def etag_of(self, instance: Target) -> str:
        """The generation of its settings."""
        return f"{instance.pk}-{instance.generation}"

    def shape(self, row: Target) -> Row:
        return _target_rows([row])[0]

    @extend_schema(request=shapes.TargetEdit)
    def patch(self, request: Request, **_: Any) -> Response:
        """Changes the settings that are sent; slug and kind never change."""
        target = self.get_object()
        body = shapes.TargetEdit.read(request)
        edits.edit_target(
            target=target,
            expected_generation=target.generation,
            actor=actor_of(request),
            **body,
        )
        return Response(self.shape(target))


class TargetTest(Idempotent, APIView):
    """Whether a target answers."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=None, responses=shapes.TARGET_TEST)
    def post(self, request: Request, slug: str) -> Response:
        """Reaches out now: latency, version, features, permissions that are missing."""
        target = get_object_or_404(Target, slug=slug)
        Nothing.read(request)
        report = operations.test_connection(
            target=target, actor=actor_of(request), now=timezone.now()
        )
        state = TargetState.objects.filter(target=target).first()
        health = shapes.health(state, unchecked=slug in loop_report(timezone.now()).unchecked)
        return Response({"ok": report.ok, "summary": report.summary, **health})


class TargetSync(Idempotent, APIView):
    """A look at the whole target."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=None, responses={202: shapes.SYNC})
    def post(self, request: Request, slug: str) -> Response:
        """Asks a worker to compare everything there with what is intended, now."""
        target = get_object_or_404(Target, slug=slug)
        Nothing.read(request)
        queued = operations.sweep_now(target=target, actor=actor_of(request))
        return Response({"queued": queued}, status=status.HTTP_202_ACCEPTED)
