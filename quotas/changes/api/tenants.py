"""Changes of tenants and placements."""

from __future__ import annotations

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.rights import person_of
from console.rest.serializers import ReasonOnly
from console.rest.views import READ
from quotas.changes.api.endpoints import ChangeEndpoint
from quotas.changes.kinds.lifecycle import Offboard, Onboard, Resume, Suspend
from quotas.changes.kinds.placements import Displace, Place
from quotas.changes.kinds.plans import MovePlan
from quotas.changes.kinds.repairs import Repair, TakeOver
from quotas.changes.serializers import change_bodies as bodies
from quotas.changes.serializers import proposals as shapes
from quotas.enforcement.api import tenants as reads
from tenants.models import Placement, Tenant

_ACCEPTED: Any = {202: shapes.APPLIED}


class TenantList(ChangeEndpoint, reads.TenantReads):
    """Tenants by slug, each with its plan and the state of enforcement."""

    required_permissions: ClassVar = {**READ, "POST": Permission.ADMINISTER}
    change = Onboard
    body = bodies.NewTenant

    @extend_schema(
        request=bodies.NewTenant, responses=_ACCEPTED, examples=[shapes.example_of("NewTenant")]
    )
    def post(self, request: Request) -> Response:
        """On-boards a tenant: its plan, and everything that is needed on its targets."""
        return self.make_change(request)


class TenantsEndpoint(ChangeEndpoint, APIView):
    """A change of the one tenant in the URL, for those that take several."""

    def url_fields(self, **kwargs: Any) -> dict[str, Any]:
        return {
            "tenants": (
                get_object_or_404(
                    Tenant.objects.visible_to(person_of(self.request)), slug=kwargs["slug"]
                ).slug,
            )
        }


class TenantSuspend(TenantsEndpoint):
    """Stops a tenant's new work."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}
    change = Suspend

    @extend_schema(request=ReasonOnly, responses=_ACCEPTED)
    def post(self, request: Request, slug: str) -> Response:
        """Stops new work on every target; what runs goes on."""
        return self.make_change(request, slug=slug)


class TenantResume(TenantsEndpoint):
    """Lets a tenant work again."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}
    change = Resume

    @extend_schema(request=ReasonOnly, responses=_ACCEPTED)
    def post(self, request: Request, slug: str) -> Response:
        """Lets new work start again on every target."""
        return self.make_change(request, slug=slug)


class TenantMove(TenantsEndpoint):
    """Puts a tenant on a plan."""

    required_permissions: ClassVar = {"POST": Permission.ADMINISTER}
    change = MovePlan
    body = bodies.Move

    @extend_schema(request=bodies.Move, responses=_ACCEPTED)
    def post(self, request: Request, slug: str) -> Response:
        """Puts the tenant on another plan, or another version of its own."""
        return self.make_change(request, slug=slug)


class TenantOffboard(ChangeEndpoint, APIView):
    """Takes a tenant away."""

    required_permissions: ClassVar = {"POST": Permission.ADMINISTER}
    change = Offboard
    body = bodies.OffboardTenant

    def url_fields(self, **kwargs: Any) -> dict[str, Any]:
        return {
            "tenant": get_object_or_404(
                Tenant.objects.visible_to(person_of(self.request)), slug=kwargs["slug"]
            ).slug
        }

    @extend_schema(request=bodies.OffboardTenant, responses=_ACCEPTED)
    def post(self, request: Request, slug: str) -> Response:
        """Deletes what carries our label everywhere and ends the subscription; the row stays."""
        return self.make_change(request, slug=slug)


class PlacementList(ChangeEndpoint, reads.PlacementReads):
    """Who is placed where, and how it stands there."""

    required_permissions: ClassVar = {**READ, "POST": Permission.ADMINISTER}
    change = Place
    body = bodies.NewPlacement

    @extend_schema(request=bodies.NewPlacement, responses=_ACCEPTED)
    def post(self, request: Request) -> Response:
        """Puts a tenant on a target and makes what is needed there."""
        return self.make_change(request)


class PlacementRemove(ChangeEndpoint, APIView):
    """Removes a placement."""

    required_permissions: ClassVar = {"POST": Permission.ADMINISTER}
    change = Displace
    body = bodies.RemovePlacement

    def url_fields(self, **kwargs: Any) -> dict[str, Any]:
        return {
            "placement": get_object_or_404(
                Placement.objects.visible_to(person_of(self.request)), pk=kwargs["pk"]
            ).pk
        }

    @extend_schema(request=bodies.RemovePlacement, responses=_ACCEPTED)
    def post(self, request: Request, pk: int) -> Response:
        """Deletes what carries our label there."""
        return self.make_change(request, pk=pk)


class PlacementsEndpoint(ChangeEndpoint, APIView):
    """A change of the one placement in the URL, for those that take several."""

    def url_fields(self, **kwargs: Any) -> dict[str, Any]:
        return {
            "placements": (
                get_object_or_404(
                    Placement.objects.visible_to(person_of(self.request)), pk=kwargs["pk"]
                ).pk,
            )
        }


class PlacementRepair(PlacementsEndpoint):
    """Writes the intent again."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}
    change = Repair

    @extend_schema(request=ReasonOnly, responses=_ACCEPTED)
    def post(self, request: Request, pk: int) -> Response:
        """Writes what is intended over what drifted or failed there."""
        return self.make_change(request, pk=pk)


class PlacementTakeOver(PlacementsEndpoint):
    """Takes fields over."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}
    change = TakeOver

    @extend_schema(request=ReasonOnly, responses=_ACCEPTED)
    def post(self, request: Request, pk: int) -> Response:
        """Takes the fields there over from their other owners."""
        return self.make_change(request, pk=pk)
