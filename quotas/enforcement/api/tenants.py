"""Tenants and placements: reads, and the texts of a tenant. What pushes is in quotas.changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.rights import actor_of, person_of
from console.rest.views import (
    READ,
    Row,
    RowList,
    TaggedDetail,
)
from quotas.enforcement.filters import PlacementFilters, TenantListFilters
from quotas.enforcement.selectors.rest_lists import placements_by, plans_held, tenants_at
from quotas.enforcement.selectors.target_loops import loop_report
from quotas.enforcement.selectors.tenant_page import tenant_page
from quotas.enforcement.serializers import tenants as shapes
from quotas.enforcement.services import edits
from tenants.models import Placement, Tenant


def _tenant_rows(tenants: Sequence[Tenant]) -> list[Row]:
    ids = [tenant.pk for tenant in tenants]
    plans, placed = plans_held(ids), placements_by("tenant_id", ids)
    unchecked = tenants_at(loop_report(timezone.now()).unchecked, ids)
    return [
        shapes.tenant_row(
            tenant,
            plans.get(tenant.pk),
            placed.get(tenant.pk, 0),
            unchecked=tenant.pk in unchecked,
        )
        for tenant in tenants
    ]


class TenantReads(RowList):
    """Tenants by slug, each with its plan and the state of enforcement."""

    queryset = Tenant.objects.select_related("state")
    serializer_class = shapes.TENANT
    filterset_class = TenantListFilters
    cursor_key = ("slug",)

    def shape(self, rows: Sequence[Tenant]) -> list[Row]:
        return _tenant_rows(rows)


class TenantDetail(TaggedDetail):
    """One tenant."""

    required_permissions: ClassVar = {**READ, "PATCH": Permission.ADMINISTER}
    queryset = Tenant.objects.select_related("state")
    serializer_class = shapes.TENANT
    lookup_field = "slug"

    def etag_of(self, instance: Tenant) -> str:
        """The generation of what is intended."""
        return f"{instance.pk}-{instance.generation}"

    def shape(self, row: Tenant) -> Row:
        return _tenant_rows([row])[0]

    @extend_schema(request=shapes.TenantEdit)
    def patch(self, request: Request, **_: Any) -> Response:
        """Changes name, labels (as a whole), contact or group; what is left out stays. A new group
        is pushed to the tenant's placements at once."""
        tenant = self.get_object()
        body = shapes.TenantEdit.read(request)
        edits.edit_tenant(
            tenant=tenant,
            expected_generation=tenant.generation,
            actor=actor_of(request),
            at=timezone.now(),
            **body,
        )
        return Response(self.shape(tenant))


class TenantHeadroom(APIView):
    """How much room a tenant has."""

    required_permissions: ClassVar = READ

    @extend_schema(operation_id="tenant_headroom", responses=shapes.HEADROOM)
    def get(self, _: Request, slug: str) -> Response:
        """Intended, enforced and used of every limit, per placement, fullest first."""
        tenant = get_object_or_404(
            Tenant.objects.visible_to(person_of(self.request)).select_related("state"), slug=slug
        )
        now = timezone.now()
        page = tenant_page(tenant, now=now, report=loop_report(now))
        rows = [shapes.headroom_row(panel) for panel in page.placements]
        return Response({"tenant": slug, "condition": page.condition_now, "placements": rows})


class PlacementReads(RowList):
    """Who is placed where, and how it stands there."""

    queryset = Placement.objects.select_related("tenant", "target", "state").defer(
        "state__limits", "state__differences", "state__foreign"
    )
    serializer_class = shapes.PLACEMENT
    filterset_class = PlacementFilters

    def shape(self, rows: Sequence[Placement]) -> list[Row]:
        unchecked = loop_report(timezone.now()).unchecked
        return [shapes.placement_row(row, unchecked) for row in rows]


class PlacementDetail(TaggedDetail):
    """One placement."""

    required_permissions: ClassVar = {**READ, "PATCH": Permission.OPERATE}
    queryset = Placement.objects.select_related("tenant", "target", "state")
    serializer_class = shapes.PLACEMENT_DETAIL

    def etag_of(self, instance: Placement) -> str:
        """What is intended there: its generation, and what to do about drift."""
        return f"{instance.pk}-{instance.generation}-{instance.drift_policy}"

    def shape(self, row: Placement) -> Row:
        return shapes.placement_detail(row, loop_report(timezone.now()).unchecked)

    @extend_schema(request=shapes.PlacementEdit)
    def patch(self, request: Request, **_: Any) -> Response:
        """Says what to do about drift there: heal, hold, or "" for what the target says. Drift that
        was held is repaired at once when it is to be healed."""
        placement = self.get_object()
        body = shapes.PlacementEdit.read(request)
        edits.edit_drift_policy(
            placement=placement,
            policy=body.get("drift_policy", placement.drift_policy),
            actor=actor_of(request),
            reason=body["reason"],
            at=timezone.now(),
        )
        placement.refresh_from_db()
        return Response(self.shape(placement))
