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

from console.access.api import Idempotent
from console.access.gate import actor_of
from console.access.models import Permission
from console.errors import DomainError
from console.resources import (
    READ,
    Row,
    RowDetail,
    RowList,
    body_of,
    refuse_rest,
    take_number,
    take_reason,
    take_text,
)
from observability.jobs.models import JobRun
from observability.replays import serializers as said
from observability.replays.models import Replay, ReplayResult, WorkflowBundle
from observability.replays.selectors import progress_of
from observability.replays.services import bundles, picking, replays


class BundleList(Idempotent, RowList):
    """Workflow bundles, the newest first."""

    required_permissions: ClassVar = {**READ, "POST": Permission.ADMINISTER}
    queryset = WorkflowBundle.objects.all()
    serializer_class = said.BUNDLE
    cursor_descending = True

    def shape(self, rows: Sequence[WorkflowBundle]) -> list[Row]:
        return [said.bundle_row(row) for row in rows]

    @extend_schema(request=said.NEW_BUNDLE, responses={201: said.BUNDLE})
    def post(self, request: Request) -> Response:
        """Imports the code once, without a network, and registers what it found."""
        body = body_of(request)
        reason = take_reason(body)
        name, version = take_text(body, "name"), take_text(body, "version")
        modules = _texts(body.pop("modules", None), "modules")
        refuse_rest(body, ("name", "version", "modules", "reason"))
        made = bundles.register(
            name=name, version=version, modules=modules, actor=actor_of(request), reason=reason
        )
        return Response(said.bundle_row(made), status=status.HTTP_201_CREATED)


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


def _texts(value: Any, field: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise DomainError(
            "invalid", f"{field}: {str(value)[:80]!r} is not accepted; use a list of texts.",
            field=field,
        )  # fmt: skip
    return value
