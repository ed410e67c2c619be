"""Replays over REST: ask, then poll."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
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
from console.rest.body import (
    body_of,
    refuse_rest,
    take_number,
    take_text,
)
from console.rest.views import (
    READ,
    Row,
    RowDetail,
    RowList,
)
from observability.jobs.models import JobRun
from observability.replays import serializers as said
from observability.replays.models import Replay, ReplayResult, WorkflowBundle
from observability.replays.selectors import progress_of
from observability.replays.services import picking, replays


class ReplayList(Idempotent, RowList):
    """Replays, the newest first."""

    required_permissions: ClassVar = {**READ, "POST": Permission.OPERATE}
    queryset = Replay.objects.select_related("bundle")
    serializer_class = said.REPLAY
    cursor_key = ("created_at", "id")
    cursor_descending = True

    def shape(self, rows: Sequence[Replay]) -> list[Row]:
        return [said.replay_row(each) for each in progress_of(rows)]

    @extend_schema(request=said.NEW_REPLAY, responses={202: said.REPLAY})
    def post(self, request: Request) -> Response:
        """Asks for many runs to be replayed; poll what comes back."""
        body = body_of(request)
        bundle = _bundle(body)
        ids = body.pop("runs", None)
        query, last = take_text(body, "query"), take_number(body, "last", 500)
        refuse_rest(body, ("bundle", "runs", "query", "last"))
        if ids is not None and query:
            raise DomainError(
                "invalid",
                f"runs: they are named, and query asks for {query[:80]!r} too; send one of both.",
                field="runs",
            )
        if ids is not None:
            runs, words = picking.by_id(request.user, _numbers(ids)), "chosen runs"
        else:
            runs, words = picking.newest(request.user, query, last=last)
        made = replays.ask(bundle=bundle, runs=runs, selection=words, actor=actor_of(request))
        return _accepted(made)


class ReplayDetail(RowDetail):
    """One replay."""

    required_permissions: ClassVar = READ
    queryset = Replay.objects.select_related("bundle")
    serializer_class = said.REPLAY

    def shape(self, row: Replay) -> Row:
        (progress,) = progress_of([row])
        return said.replay_row(progress)


class ReplayStop(Idempotent, APIView):
    """Stops a replay."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=None, responses={200: said.REPLAY})
    def post(self, request: Request, pk: int) -> Response:
        """No further run is replayed; the results that are there stay. 409 when it has ended."""
        replay = get_object_or_404(Replay.objects.select_related("bundle"), pk=pk)
        refuse_rest(body_of(request), ())
        if not replays.stop(replay=replay, actor=actor_of(request)):
            raise DomainError("not_running", "It has ended already.", status=409)
        replay.refresh_from_db()
        (progress,) = progress_of([replay])
        return Response(said.replay_row(progress))


class ResultList(RowList):
    """The results of one replay."""

    required_permissions: ClassVar = READ
    queryset = ReplayResult.objects.select_related("run", "replay__bundle")
    serializer_class = said.RESULT

    def get_queryset(self) -> QuerySet[ReplayResult]:
        replay = get_object_or_404(Replay, pk=self.kwargs["pk"])
        return self.queryset.filter(replay=replay)

    def shape(self, rows: Sequence[ReplayResult]) -> list[Row]:
        return [said.result_row(row) for row in rows]


class RunReplays(Idempotent, RowList):
    """The replays of one run, the newest first."""

    required_permissions: ClassVar = {"GET": Permission.OWN, "POST": Permission.OPERATE}
    queryset = ReplayResult.objects.select_related("run", "replay__bundle")
    serializer_class = said.RESULT
    cursor_descending = True

    def get_queryset(self) -> QuerySet[ReplayResult]:
        run = get_object_or_404(
            JobRun.objects.visible_to(self.request.user),  # type: ignore[arg-type]  # the gate lets only Users in
            pk=self.kwargs["pk"],
        )
        return self.queryset.filter(run=run)

    def shape(self, rows: Sequence[ReplayResult]) -> list[Row]:
        return [said.result_row(row) for row in rows]

    @extend_schema(request=said.NEW_RUN_REPLAY, responses={202: said.REPLAY})
    def post(self, request: Request, pk: int) -> Response:
        """Asks for this run to be replayed; poll the replay that comes back."""
        body = body_of(request)
        bundle = _bundle(body)
        refuse_rest(body, ("bundle",))
        (run,) = picking.by_id(request.user, [pk]) or (get_object_or_404(JobRun, pk=pk),)
        made = replays.ask(
            bundle=bundle, runs=[run], selection=f"run {run.external_id}", actor=actor_of(request)
        )
        return _accepted(made)


def _accepted(made: Replay) -> Response:
    (progress,) = progress_of([made])
    place = {"Location": f"/api/v1/replays/{made.pk}/"}
    return Response(said.replay_row(progress), status=status.HTTP_202_ACCEPTED, headers=place)


def _bundle(body: dict[str, Any]) -> WorkflowBundle:
    text = take_text(body, "bundle")
    name, _, version = text.partition("@")
    found = WorkflowBundle.objects.filter(name=name, version=version).first()
    if found is None:
        raise DomainError(
            "unknown_bundle",
            f"bundle: {text[:130]!r} is not registered; use NAME@VERSION of a bundle that is.",
            field="bundle",
        )
    return found


def _numbers(value: Any) -> list[int]:
    if (
        not isinstance(value, list)
        or not all(isinstance(each, int) and not isinstance(each, bool) for each in value)
        or not all(0 < each < 2**63 for each in value)
    ):
        raise DomainError(
            "invalid", f"runs: {str(value)[:80]!r} is not accepted; use a list of ids of runs.",
            field="runs",
        )  # fmt: skip
    return value
