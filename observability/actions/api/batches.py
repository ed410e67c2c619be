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
from console.access.rights import actor_of
from console.errors import DomainError
from console.rest.body import (
    body_of,
    refuse_rest,
    take_flag,
    take_number,
    take_reason,
    take_text,
)
from console.rest.serializers import REASON
from console.rest.views import READ, Row, RowList
from observability.actions import serializers as said
from observability.actions.api.actions import json_arguments
from observability.actions.contracts import MOST_RUNS
from observability.actions.models import Order, OrderItem
from observability.actions.services.batches import ask_batch, stop
from observability.actions.services.previews import BatchAsking, preview
from observability.engines.contracts import ENGINE_LABELS, Engine

_FIELDS = (
    "engine", "verb", "query", "ids", "target", "arguments", "rate", "reason", "expected",
    "confirm", "dry_run",
)  # fmt: skip


class Batches(Idempotent, APIView):
    """One verb on many runs."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=said.BATCH, responses={200: said.COUNT, 202: said.ORDER})
    def post(self, request: Request) -> Response:
        """202 with the order, whose `done` and `status` can be read until it is over; with
        `dry_run` 200 with the count, and nothing is written."""
        body = body_of(request)
        dry = take_flag(body, "dry_run")
        asking = _asking(body)
        if dry:
            return Response(said.count_row(preview(asking, now=timezone.now())))
        order = ask_batch(asking=asking, actor=actor_of(request))
        row = said.order_row(order)
        headers = {"Location": str(row["url"])}
        return Response(row, status=status.HTTP_202_ACCEPTED, headers=headers)


class BatchStop(Idempotent, APIView):
    """Stops a batch."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=REASON, responses={202: said.ORDER})
    def post(self, request: Request, pk: int) -> Response:
        """What is done stays done."""
        found = get_object_or_404(Order.objects.select_related("run", "target", "tenant"), pk=pk)
        body = body_of(request)
        reason = take_reason(body)
        refuse_rest(body, ("reason",))
        order = stop(order=found, actor=actor_of(request), reason=reason, now=timezone.now())
        return Response(said.order_row(order), status=status.HTTP_202_ACCEPTED)


class BatchItems(RowList):
    """The runs of a batch, each with what came of it. Empty for an action on one run."""

    required_permissions: ClassVar = READ
    queryset = OrderItem.objects.all()
    serializer_class = said.ITEM

    def get_queryset(self) -> QuerySet[OrderItem]:
        order = get_object_or_404(Order, pk=self.kwargs["pk"])
        return self.queryset.filter(order=order)

    def shape(self, rows: Sequence[OrderItem]) -> list[Row]:
        return [said.item_row(row) for row in rows]


def _asking(body: dict[str, Any]) -> BatchAsking:
    engine, verb = take_text(body, "engine"), take_text(body, "verb")
    if engine not in ENGINE_LABELS:
        raise DomainError(
            "invalid",
            f"engine: {engine[:40]!r} does not exist; use {', '.join(Engine)}.",
            field="engine",
        )
    expected = take_number(body, "expected", 0) if "expected" in body else None
    asking = BatchAsking(
        engine=engine,
        verb=verb,
        query=take_text(body, "query"),
        ids=_ids(body),
        target=take_text(body, "target"),
        arguments=json_arguments(engine, verb, body),
        rate=take_number(body, "rate", 5),
        reason=take_text(body, "reason"),
        expected=expected,
        confirm=take_text(body, "confirm"),
    )
    refuse_rest(body, _FIELDS)
    return asking


def _ids(body: dict[str, Any]) -> tuple[int, ...]:
    value = body.pop("ids", [])
    whole = isinstance(value, list) and all(
        isinstance(each, int) and not isinstance(each, bool) and 0 < each < 2**63 for each in value
    )
    if not whole or len(value) > MOST_RUNS:
        raise DomainError(
            "invalid",
            f"ids: {str(value)[:80]!r} is not accepted; use a list of at most {MOST_RUNS} ids of "
            "runs.",
            field="ids",
        )
    return tuple(value)
