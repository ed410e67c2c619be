"""Replays over REST: ask, then poll."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.idempotency import Idempotent
from console.access.rights import actor_of, person_of
from console.errors import DomainError
from console.rest.serializers import Nothing
from console.rest.views import (
    READ,
    Row,
    RowDetail,
    RowList,
)
from observability.jobs.models import JobRun
from observability.replays import serializers
from observability.replays.models import Replay, ReplayResult, WorkflowBundle
from observability.replays.selectors import progress_of
from observability.replays.services import replays, run_selection


class ReplayList(Idempotent, RowList):
    """Replays, the newest first."""

    required_permissions: ClassVar = {**READ, "POST": Permission.OPERATE}
    queryset = Replay.objects.select_related("bundle")
    serializer_class = serializers.REPLAY
    cursor_key = ("created_at", "id")
    cursor_descending = True

    def shape(self, rows: Sequence[Replay]) -> list[Row]:
        return [serializers.replay_row(progress) for progress in progress_of(rows)]

    @extend_schema(request=serializers.NewReplay, responses={202: serializers.REPLAY})
    def post(self, request: Request) -> Response:
        """Asks for many runs to be replayed; poll what comes back."""
        body = serializers.NewReplay.read(request)
        bundle, ids, query = _bundle(body["bundle"]), body["runs"], body["query"]
        if ids is not None and query:
            raise DomainError(
                "invalid",
                f"runs: they are named, and query asks for {query[:80]!r} too; send one of both.",
                field="runs",
            )
        if ids is not None:
            runs, description = run_selection.by_id(request.user, ids), "chosen runs"
        else:
            runs, description = run_selection.newest(request.user, query, last=body["last"])
        made = replays.ask(bundle=bundle, runs=runs, selection=description, actor=actor_of(request))
        return _accepted(made)


class ReplayDetail(RowDetail):
    """One replay."""

    required_permissions: ClassVar = READ
    queryset = Replay.objects.select_related("bundle")
    serializer_class = serializers.REPLAY

    def shape(self, row: Replay) -> Row:
        (progress,) = progress_of([row])
        return serializers.replay_row(progress)


class ReplayStop(Idempotent, APIView):
    """Stops a replay."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=None, responses={200: serializers.REPLAY})
    def post(self, request: Request, pk: int) -> Response:
        """No further run is replayed; the results that are there stay. 409 when it has ended."""
        replay = get_object_or_404(
            Replay.objects.visible_to(person_of(request)).select_related("bundle"), pk=pk
        )
        Nothing.read(request)
        if not replays.stop(replay=replay, actor=actor_of(request)):
            raise DomainError("not_running", "It has ended already.", status=409)
        replay.refresh_from_db()
        (progress,) = progress_of([replay])
        return Response(serializers.replay_row(progress))


class ResultList(RowList):
    """The results of one replay."""

    required_permissions: ClassVar = READ
    queryset = ReplayResult.objects.select_related("run", "replay__bundle")
    serializer_class = serializers.RESULT

    def get_queryset(self) -> QuerySet[ReplayResult]:
        replay = get_object_or_404(
            Replay.objects.visible_to(person_of(self.request)), pk=self.kwargs["pk"]
        )
        return super().get_queryset().filter(replay=replay)

    def shape(self, rows: Sequence[ReplayResult]) -> list[Row]:
        return [serializers.result_row(row) for row in rows]


class RunReplays(Idempotent, RowList):
    """The replays of one run, the newest first."""

    required_permissions: ClassVar = {"GET": Permission.OWN, "POST": Permission.OPERATE}
    queryset = ReplayResult.objects.select_related("run", "replay__bundle")
    serializer_class = serializers.RESULT
    cursor_descending = True

    def get_queryset(self) -> QuerySet[ReplayResult]:
        run = get_object_or_404(
            JobRun.objects.visible_to(person_of(self.request)), pk=self.kwargs["pk"]
        )
        return super().get_queryset().filter(run=run)

    def shape(self, rows: Sequence[ReplayResult]) -> list[Row]:
        return [serializers.result_row(row) for row in rows]

    @extend_schema(request=serializers.NewRunReplay, responses={202: serializers.REPLAY})
    def post(self, request: Request, pk: int) -> Response:
        """Asks for this run to be replayed; poll the replay that comes back."""
        run = get_object_or_404(JobRun.objects.visible_to(person_of(request)), pk=pk)
        bundle = _bundle(serializers.NewRunReplay.read(request)["bundle"])
        made = replays.ask(
            bundle=bundle, runs=[run], selection=f"run {run.external_id}", actor=actor_of(request)
        )
        return _accepted(made)


def _accepted(made: Replay) -> Response:
    (progress,) = progress_of([made])
    place = {"Location": reverse("api_replay", kwargs={"pk": made.pk})}
    return Response(
        serializers.replay_row(progress), status=status.HTTP_202_ACCEPTED, headers=place
    )


def _bundle(text: str) -> WorkflowBundle:
    name, _, version = text.partition("@")
    bundle = WorkflowBundle.objects.filter(name=name, version=version).first()
    if bundle is None:
        raise DomainError(
            "unknown_bundle",
            f"bundle: {text[:130]!r} is not registered; use NAME@VERSION of a bundle that is.",
            field="bundle",
        )
    return bundle
