"""Actions over REST: what can be done to a run, doing it, and what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console import exact_json
from console.access.contracts import Permission
from console.access.idempotency import Idempotent
from console.access.rights import actor_of, person_of, require
from console.rest.parsers import ExactJSONParser
from console.rest.tenant_view import is_tenants, shown_to
from console.rest.views import (
    READ,
    Row,
    RowDetail,
    RowList,
)
from observability.actions import serializers
from observability.actions.filters import ActionFilters
from observability.actions.models import Action
from observability.actions.selectors.facts import offers
from observability.actions.selectors.pages import SHOWN, listed, of_run
from observability.actions.services.actions import ActionCommand, act
from observability.engines.catalogue import find_verb
from observability.engines.verbs import FieldKind
from observability.jobs.models import JobRun


class RunActions(Idempotent, APIView):
    """What can be done to one run, and what was done."""

    required_permissions: ClassVar = {"GET": Permission.OWN, "POST": Permission.OWN}
    parser_classes = (ExactJSONParser,)

    @extend_schema(responses={200: serializers.RUN_ACTIONS})
    def get(self, request: Request, pk: int) -> Response:
        """Verbs with the reason where one is not possible now, and the latest actions. Members see
        what was done to their own tenants' runs; nothing is possible for them."""
        run = _visible_run(request, pk)
        offered = [] if is_tenants(request) else offers(run)
        possible = [serializers.offer_row(offer) for offer in offered if not offer.hidden]
        rows = [serializers.action_row(action) for action in of_run(run)[:SHOWN]]
        actions = shown_to(request, serializers.ACTION, rows)
        return Response({"possible": possible, "actions": actions, "orders": actions})

    @extend_schema(request=serializers.ActionRequestSerializer, responses={200: serializers.ACTION})
    def post(self, request: Request, pk: int) -> Response:
        """Does it, and answers with what the engine said: `status` done, refused, failed or
        unknown. 409 when it does not fit the run now. For operators."""
        run = _visible_run(request, pk)
        require(request, Permission.OPERATE)
        body = serializers.ActionRequestSerializer.read(request)
        command = ActionCommand(
            verb=body["verb"],
            reason=body["reason"],
            arguments=json_arguments(run.engine, body["verb"], body["arguments"]),
            confirm=body["confirm"],
            seen_status=body["seen_status"],
        )
        action = act(run=run, command=command, actor=actor_of(request))
        row = serializers.action_row(action)
        return Response(row, headers={"Location": str(row["url"])})


class ActionList(RowList):
    """Actions, the newest first."""

    required_permissions: ClassVar = READ
    queryset = Action.objects.all()
    serializer_class = serializers.ACTION
    filterset_class = ActionFilters
    cursor_key = ("created_at", "id")
    cursor_descending = True

    def get_queryset(self) -> Any:
        """All of them, with what a row shows."""
        return listed(super().get_queryset())

    def shape(self, rows: Sequence[Action]) -> list[Row]:
        return [serializers.action_row(row) for row in rows]


class ActionDetail(RowDetail):
    """One action; a batch with its progress."""

    required_permissions: ClassVar = READ
    queryset = Action.objects.select_related("run", "target", "tenant")
    serializer_class = serializers.ACTION

    def shape(self, row: Action) -> Row:
        return serializers.action_row(row)


def json_arguments(engine: str, verb: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
    """The arguments of a body as the verb reads them. Where an argument is JSON, its value is meant
    as it is: a text is that text and not JSON to be read."""
    about = find_verb(engine, verb)
    for argument in about.arguments if about else ():
        if argument.kind is FieldKind.JSON and argument.name in arguments:
            arguments[argument.name] = exact_json.dumps(arguments[argument.name])
    return arguments


def _visible_run(request: Request, pk: int) -> JobRun:
    """The run; 404 for whoever has nothing to do with it."""
    visible = JobRun.objects.visible_to(person_of(request)).select_related("target", "tenant")
    return get_object_or_404(visible, pk=pk)
