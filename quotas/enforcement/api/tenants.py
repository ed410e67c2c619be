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
from console.access.rights import actor_of
from console.rest.body import (
    body_of,
    refuse_rest,
    take_object,
    take_reason,
    take_text,
)
from console.rest.views import (
    READ,
    Row,
    RowList,
    TaggedDetail,
)
from quotas.enforcement.filters import PlacementFilters, TenantListFilters
from quotas.enforcement.selectors.rest_lists import placements_by, plans_held
from quotas.enforcement.selectors.tenant_page import tenant_page
from quotas.enforcement.serializers import tenants as said
from quotas.enforcement.services import edits
from tenants.models import Placement, Tenant


class TenantReads(RowList):
    """Tenants by slug, each with its plan and the state of enforcement."""

    queryset = Tenant.objects.select_related("state")
    serializer_class = said.TENANT
    filterset_class = TenantListFilters
    cursor_key = ("slug",)

    def shape(self, rows: Sequence[Tenant]) -> list[Row]:
        ids = [tenant.pk for tenant in rows]
        plans, placed = plans_held(ids), placements_by("tenant_id", ids)
        return [
            said.tenant_row(tenant, plans.get(tenant.pk), placed.get(tenant.pk, 0))
            for tenant in rows
        ]


class TenantDetail(TaggedDetail):
    """One tenant."""

    required_permissions: ClassVar = {**READ, "PATCH": Permission.ADMINISTER}
    queryset = Tenant.objects.select_related("state")
    serializer_class = said.TENANT
    lookup_field = "slug"

    def etag_of(self, instance: Tenant) -> str:
        """The generation of what is intended."""
        return f"{instance.pk}-{instance.generation}"

    def shape(self, row: Tenant) -> Row:
        plan, placed = plans_held([row.pk]), placements_by("tenant_id", [row.pk])
        return said.tenant_row(row, plan.get(row.pk), placed.get(row.pk, 0))

    @extend_schema(request=said.TENANT_EDIT)
    def patch(self, request: Request, **_: Any) -> Response:
        """Changes name, labels (as a whole), contact or group; what is left out stays. A new group
        is pushed to the tenant's placements at once."""
        tenant = self.get_object()
        body = body_of(request)
        reason = take_reason(body)
        given: dict[str, Any] = {
            name: take_text(body, name) for name in ("name", "contact", "group") if name in body
        }
        if "labels" in body:
            given["labels"] = take_object(body, "labels")
        refuse_rest(body, ("name", "labels", "contact", "group", "reason"))
        edits.edit_tenant(
            tenant=tenant,
            expected_generation=tenant.generation,
            actor=actor_of(request),
            reason=reason,
            at=timezone.now(),
            **given,
        )
        return Response(self.shape(tenant))


class TenantHeadroom(APIView):
    """How much room a tenant has."""

    required_permissions: ClassVar = READ

    @extend_schema(operation_id="tenant_headroom", responses=said.HEADROOM)
    def get(self, _: Request, slug: str) -> Response:
        """Intended, enforced and used of every limit, per placement, fullest first."""
        tenant = get_object_or_404(Tenant.objects.select_related("state"), slug=slug)
        page = tenant_page(tenant, now=timezone.now())
        rows = [said.headroom_row(panel) for panel in page.placements]
        return Response({"tenant": slug, "condition": page.condition, "placements": rows})


class PlacementReads(RowList):
    """Who is placed where, and how it stands there."""

    queryset = Placement.objects.select_related("tenant", "target", "state").defer(
        "state__limits", "state__differences", "state__foreign"
    )
    serializer_class = said.PLACEMENT
    filterset_class = PlacementFilters

    def shape(self, rows: Sequence[Placement]) -> list[Row]:
        return [said.placement_row(row) for row in rows]


class PlacementDetail(TaggedDetail):
    """One placement."""

    required_permissions: ClassVar = {**READ, "PATCH": Permission.OPERATE}
    queryset = Placement.objects.select_related("tenant", "target", "state")
    serializer_class = said.PLACEMENT_DETAIL

    def etag_of(self, instance: Placement) -> str:
        """What is intended there: its generation, and what to do about drift."""
        return f"{instance.pk}-{instance.generation}-{instance.drift_policy}"

    def shape(self, row: Placement) -> Row:
        return said.placement_detail(row)

    @extend_schema(request=said.PLACEMENT_EDIT)
    def patch(self, request: Request, **_: Any) -> Response:
        """Says what to do about drift there: heal, hold, or "" for what the target says. Drift that
        was held is repaired at once when it is to be healed."""
        placement = self.get_object()
        body = body_of(request)
        reason = take_reason(body)
        policy = take_text(body, "drift_policy", placement.drift_policy)
        refuse_rest(body, ("drift_policy", "reason"))
        edits.edit_drift_policy(
            placement=placement,
            policy=policy,
            actor=actor_of(request),
            reason=reason,
            at=timezone.now(),
        )
        placement.refresh_from_db()
        return Response(self.shape(placement))
