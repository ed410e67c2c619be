"""Batches over REST: the dry count, and the real thing."""

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
from console.access.rights import actor_of, person_of
from console.rest.parsers import ExactJSONParser
from console.rest.serializers import ReasonOnly
from console.rest.views import READ, Row, RowList
from observability.actions import serializers
from observability.actions.api.actions import json_arguments
from observability.actions.models import Action, ActionItem
from observability.actions.services.batches import ask_batch, stop
from observability.actions.services.previews import BatchCommand, preview_batch


class Batches(Idempotent, APIView):
    """One verb on many runs."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}
    parser_classes = (ExactJSONParser,)

    @extend_schema(
        request=serializers.BatchRequest,
        responses={200: serializers.COUNT, 202: serializers.ACTION},
    )
    def post(self, request: Request) -> Response:
        """202 with the action, whose `done` and `status` can be read until it is over; with
        `dry_run` 200 with the count, and nothing is written."""
        body = serializers.BatchRequest.read(request)
        command = _selection(body)
        if body["dry_run"]:
            return Response(serializers.count_row(preview_batch(command, now=timezone.now())))
        action = ask_batch(command=command, actor=actor_of(request))
        row = serializers.action_row(action)
        headers = {"Location": str(row["url"])}
        return Response(row, status=status.HTTP_202_ACCEPTED, headers=headers)


class BatchStop(Idempotent, APIView):
    """Stops a batch."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=ReasonOnly, responses={202: serializers.ACTION})
    def post(self, request: Request, pk: int) -> Response:
        """What is done stays done."""
        batch = get_object_or_404(
            Action.objects.visible_to(person_of(request)).select_related("run", "target", "tenant"),
            pk=pk,
        )
        body = ReasonOnly.read(request)
        action = stop(
            action=batch, actor=actor_of(request), reason=body["reason"], now=timezone.now()
        )
        return Response(serializers.action_row(action), status=status.HTTP_202_ACCEPTED)


class BatchItems(RowList):
    """The runs of a batch, each with what came of it. Empty for an action on one run."""

    required_permissions: ClassVar = READ
    queryset = ActionItem.objects.all()
    serializer_class = serializers.ITEM

    def get_queryset(self) -> QuerySet[ActionItem]:
        action = get_object_or_404(
            Action.objects.visible_to(person_of(self.request)), pk=self.kwargs["pk"]
        )
        return super().get_queryset().filter(action=action)

    def shape(self, rows: Sequence[ActionItem]) -> list[Row]:
        return [serializers.item_row(row) for row in rows]


def _selection(body: dict[str, Any]) -> BatchCommand:
    """What is asked for, without how."""
    fields = {name: value for name, value in body.items() if name != "dry_run"}
    fields["arguments"] = json_arguments(body["engine"], body["verb"], body["arguments"])
    fields["ids"] = tuple(body["ids"])
    return BatchCommand(**fields)
