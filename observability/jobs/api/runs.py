"""Runs, their events, and their history as the engine wrote it. Tenants read their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.rights import actor_of, granted, person_of, require
from console.database.keyset import Take
from console.errors import DomainError
from console.rest.parameters import moment_of
from console.rest.tenant_view import document_without_operators, is_tenants
from console.rest.views import Row, RowDetail, RowList
from observability.jobs import serializers
from observability.jobs.filters import RunFilters
from observability.jobs.models import JobEvent, JobRun
from observability.jobs.rules.query import CHIPS, parse
from observability.jobs.selectors.search import KEY, search_for
from observability.jobs.services.documents import download_history
from tenants.models import Tenant

OWN: dict[str, Permission] = {"GET": Permission.OWN}


class RunList(RowList):
    """Runs, the newest first; with `updated_since`, those changed since then, in that order."""

    required_permissions: ClassVar = OWN
    queryset = JobRun.objects.all()
    serializer_class = serializers.RUN
    filterset_class = RunFilters
    take: Take[Any] | None = None

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Sets how the page is found; who belongs to tenants finds only theirs."""
        parameters = self.request.query_params
        chips = {name: parameters.getlist(name) for name in CHIPS if name in parameters}
        query = parse(parameters.get("q", ""), chips)
        tenants = tenants_of(self.request)
        if tenants is not None and query.values("target"):
            raise DomainError(
                "unknown_parameter",
                "'target' does not filter the runs of a tenant; use engine or place.",
                field="target",
                status=400,
            )
        self.take = search_for(query, now=timezone.now(), tenants=tenants).take
        self.cursor_key, self.cursor_descending = KEY, True  # type: ignore[misc]  # of this request
        if since := parameters.get("updated_since", ""):
            self.cursor_key, self.cursor_descending = ("updated_at", "id"), False  # type: ignore[misc]  # of this request
            queryset = queryset.filter(updated_at__gte=moment_of(since, field="updated_since"))
        return queryset.values(*serializers.RUN_COLUMNS)

    def shape(self, rows: Sequence[dict[str, Any]]) -> list[Row]:
        return [serializers.run_row(row) for row in rows]


class RunDetail(RowDetail):
    """One run."""

    required_permissions: ClassVar = OWN
    queryset = JobRun.objects.all()
    serializer_class = serializers.RUN_DETAIL

    def get_object(self) -> Any:
        """Its values; 404 for whoever may not know of it."""
        runs = visible_runs(self.request).filter(pk=self.kwargs["pk"])
        return get_object_or_404(runs.values(*serializers.RUN_COLUMNS, "attributes"))

    def shape(self, row: dict[str, Any]) -> Row:
        run = JobRun(pk=row["id"])
        links = list(run.links.order_by("kind", "value").values("kind", "value"))
        return {**serializers.run_row(row), "links": links}


class EventList(RowList):
    """What happened to a run, oldest first."""

    required_permissions: ClassVar = OWN
    queryset = JobEvent.objects.all()
    serializer_class = serializers.EVENT
    cursor_key = ("seq", "id")

    def get_queryset(self) -> QuerySet[Any]:
        run = get_object_or_404(visible_runs(self.request), pk=self.kwargs["pk"])
        rows: QuerySet[Any] = (
            JobEvent.objects.visible_to(person_of(self.request))
            .filter(run=run)
            .values(*serializers.EVENT_COLUMNS, "id")
        )
        return rows

    def shape(self, rows: Sequence[dict[str, Any]]) -> list[Row]:
        return [{name: row[name] for name in serializers.EVENT_COLUMNS} for row in rows]


class RunHistoryDownload(APIView):
    """A run's history as its engine wrote it: nothing is masked, but for members of its tenant who
    of the platform acted on the run and why."""

    required_permissions: ClassVar = OWN

    @extend_schema(
        operation_id="job_history",
        responses={(200, "application/json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """The download: for Temporal what `temporal workflow show -o json` prints. Needs the role
        operator, or membership of the run's tenant."""
        run = get_object_or_404(visible_runs(request).select_related("target", "tenant"), pk=pk)
        require(request, Permission.OPERATE, own=run.tenant)
        download = download_history(run=run, actor=actor_of(request))
        data = download.data
        if is_tenants(request):
            data = document_without_operators(data)
        response = HttpResponse(data, content_type=download.media)
        response["Content-Disposition"] = f'attachment; filename="{download.name}"'
        return response


def tenants_of(request: Request) -> list[int] | None:
    """The tenants whose runs may be found; None: everybody's."""
    if granted(request, Permission.VIEW):
        return None
    return list(Tenant.objects.visible_to(person_of(request)).values_list("pk", flat=True))


def visible_runs(request: Request) -> QuerySet[JobRun]:
    """The runs that whoever asks may know of."""
    return JobRun.objects.visible_to(person_of(request))
