"""Changes of plans, leases and overrides."""

from __future__ import annotations

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.idempotency import Idempotent
from console.access.rights import actor_of, person_of
from console.rest.serializers import ReasonOnly
from console.rest.views import READ
from quotas.changes.api.endpoints import ChangeEndpoint
from quotas.changes.kinds.adjustments import EndLease, EndOverride, GrantLease, SetOverride
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.serializers import change_bodies as bodies
from quotas.changes.serializers import proposals as shapes
from quotas.plans import api as reads
from quotas.plans import serializers as plans
from quotas.plans.contracts import Policy
from quotas.plans.models import Lease, Override, Plan
from quotas.plans.services.plans import create_plan

_ACCEPTED: Any = {202: shapes.APPLIED}


class PlanList(Idempotent, reads.PlanReads):
    """Plans by slug."""

    required_permissions: ClassVar = {**READ, "POST": Permission.ADMINISTER}

    @extend_schema(request=bodies.NewPlan, responses={201: plans.PLAN})
    def post(self, request: Request) -> Response:
        """A new plan with its version 1. Nobody has it yet, so nothing is pushed."""
        values = bodies.NewPlan.read(request)
        policy = Policy(**values.pop("policy", {}))
        name = values.pop("name", "")
        version = create_plan(**values, name=name, policy=policy, actor=actor_of(request))
        row = plans.plan_row(version.plan, version, 0)
        return Response(row, status=status.HTTP_201_CREATED)


class VersionList(ChangeEndpoint, reads.VersionReads):
    """The versions of a plan, newest first, each with its limits."""

    required_permissions: ClassVar = {**READ, "POST": Permission.ADMINISTER}
    change = PublishPlan
    body = bodies.NewPlanVersion

    def url_fields(self, **kwargs: Any) -> dict[str, Any]:
        return {"plan": get_object_or_404(Plan, slug=kwargs["slug"]).slug}

    @extend_schema(
        request=bodies.NewPlanVersion,
        responses=_ACCEPTED,
        examples=[shapes.example_of("NewPlanVersion")],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Publishes the next version for everybody who has the plan. 409 `plan_moved_on` when
        somebody else published one since `base_version`."""
        return self.make_change(request, slug=slug)


class LeaseList(ChangeEndpoint, reads.LeaseReads):
    """Leases, the newest first: those in force, to come and over."""

    required_permissions: ClassVar = {**READ, "POST": Permission.OPERATE}
    change = GrantLease
    body = bodies.NewLease

    @extend_schema(
        request=bodies.NewLease, responses=_ACCEPTED, examples=[shapes.example_of("NewLease")]
    )
    def post(self, request: Request) -> Response:
        """Changes one limit until a moment, for each of the tenants."""
        return self.make_change(request)


class LeaseEnd(ChangeEndpoint, APIView):
    """Ends a lease."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}
    change = EndLease

    def url_fields(self, **kwargs: Any) -> dict[str, Any]:
        return {
            "lease": get_object_or_404(
                Lease.objects.visible_to(person_of(self.request)), pk=kwargs["pk"]
            ).pk
        }

    @extend_schema(request=ReasonOnly, responses=_ACCEPTED)
    def post(self, request: Request, pk: int) -> Response:
        """Ends the lease now."""
        return self.make_change(request, pk=pk)


class OverrideList(ChangeEndpoint, reads.OverrideReads):
    """Overrides, the newest first: those in force and those that ended."""

    required_permissions: ClassVar = {**READ, "POST": Permission.ADMINISTER}
    change = SetOverride
    body = bodies.NewOverride

    @extend_schema(
        request=bodies.NewOverride,
        responses=_ACCEPTED,
        examples=[shapes.example_of("NewOverride")],
    )
    def post(self, request: Request) -> Response:
        """Sets one limit of each of the tenants apart from its plan; replaces an open override."""
        return self.make_change(request)


class OverrideEnd(ChangeEndpoint, APIView):
    """Ends an override."""

    required_permissions: ClassVar = {"POST": Permission.ADMINISTER}
    change = EndOverride

    def url_fields(self, **kwargs: Any) -> dict[str, Any]:
        return {
            "override": get_object_or_404(
                Override.objects.visible_to(person_of(self.request)), pk=kwargs["pk"]
            ).pk
        }

    @extend_schema(request=ReasonOnly, responses=_ACCEPTED)
    def post(self, request: Request, pk: int) -> Response:
        """Ends the override now."""
        return self.make_change(request, pk=pk)
