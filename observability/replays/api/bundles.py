"""Workflow bundles over REST: registered and retired by admins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.idempotency import Idempotent
from console.access.rights import actor_of
from console.errors import DomainError
from console.rest.serializers import ReasonOnly
from console.rest.views import (
    READ,
    Row,
    RowDetail,
    RowList,
)
from observability.replays import serializers
from observability.replays.models import WorkflowBundle
from observability.replays.services import bundles


class BundleList(Idempotent, RowList):
    """Workflow bundles, the newest first."""

    required_permissions: ClassVar = {**READ, "POST": Permission.ADMINISTER}
    queryset = WorkflowBundle.objects.all()
    serializer_class = serializers.BUNDLE
    cursor_descending = True

    def shape(self, rows: Sequence[WorkflowBundle]) -> list[Row]:
        return [serializers.bundle_row(row) for row in rows]

    @extend_schema(request=serializers.NewWorkflowBundle, responses={201: serializers.BUNDLE})
    def post(self, request: Request) -> Response:
        """Imports the code once, without a network, and registers what it found."""
        body = serializers.NewWorkflowBundle.read(request)
        made = bundles.register(actor=actor_of(request), **body)
        return Response(serializers.bundle_row(made), status=status.HTTP_201_CREATED)


class BundleDetail(RowDetail):
    """One workflow bundle."""

    required_permissions: ClassVar = READ
    queryset = WorkflowBundle.objects.all()
    serializer_class = serializers.BUNDLE

    def shape(self, row: WorkflowBundle) -> Row:
        return serializers.bundle_row(row)


class BundleRetire(Idempotent, APIView):
    """Takes a bundle out of use."""

    required_permissions: ClassVar = {"POST": Permission.ADMINISTER}

    @extend_schema(request=ReasonOnly, responses={200: serializers.BUNDLE})
    def post(self, request: Request, pk: int) -> Response:
        """No new replay may use it; those that were asked for still end, and stay readable. 409
        when it is retired already."""
        bundle = get_object_or_404(WorkflowBundle, pk=pk)
        body = ReasonOnly.read(request)
        if not bundles.retire(bundle=bundle, actor=actor_of(request), reason=body["reason"]):
            raise DomainError("already_retired", f"{bundle} is retired already.", status=409)
        bundle.refresh_from_db()
        return Response(serializers.bundle_row(bundle))
