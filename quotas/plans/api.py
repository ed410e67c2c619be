"""Plans, their versions, and who has what: reads, and the verbs that push nothing.

New plans and versions, leases and overrides are changes: their POSTs are in quotas.changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.idempotency import Idempotent
from console.access.rights import actor_of, person_of
from console.rest.parameters import moment_of
from console.rest.preconditions import tag
from console.rest.serializers import ReasonOnly
from console.rest.views import (
    READ,
    Row,
    RowDetail,
    RowList,
    TaggedDetail,
)
from quotas.plans import serializers
from quotas.plans.effective import effective_limits
from quotas.plans.filters import AdjustmentFilters, PlanFilters, SubscriptionFilters
from quotas.plans.models import Lease, Override, Plan, PlanVersion, Subscription
from quotas.plans.selectors import facts_of, load_histories, terms_of
from quotas.plans.services.plans import archive_plan, update_plan
from tenants.models import Tenant


class PlanReads(RowList):
    """Plans by slug."""

    queryset = Plan.objects.all()
    serializer_class = serializers.PLAN
    filterset_class = PlanFilters
    cursor_key = ("slug",)

    def shape(self, rows: Sequence[Plan]) -> list[Row]:
        facts = facts_of(rows)
        return [serializers.plan_row(plan, *facts[plan.pk]) for plan in rows]


class PlanDetail(TaggedDetail):
    """One plan. Its texts can be edited; its terms are in its versions."""

    required_permissions: ClassVar = {**READ, "PATCH": Permission.ADMINISTER}
    queryset = Plan.objects.all()
    serializer_class = serializers.PLAN
    lookup_field = "slug"

    def etag_of(self, instance: Plan) -> str:
        """Made of what can be edited."""
        texts = (instance.name, instance.description, str(instance.archived_at))
        return f"{instance.pk}-{tag(*texts)}"

    def shape(self, row: Plan) -> Row:
        return serializers.plan_row(row, *facts_of([row])[row.pk])

    @extend_schema(request=serializers.PlanEdit)
    def patch(self, request: Request, **_: Any) -> Response:
        """Changes the name and the description; what is left out stays."""
        plan = self.get_object()
        body = serializers.PlanEdit.read(request)
        plan = update_plan(plan=plan, actor=actor_of(request), **body)
        self._instance = plan
        return Response(self.shape(plan))


class PlanArchive(Idempotent, APIView):
    """Takes a plan off the list of offers."""

    required_permissions: ClassVar = {"POST": Permission.ADMINISTER}

    @extend_schema(request=ReasonOnly, responses=serializers.PLAN)
    def post(self, request: Request, slug: str) -> Response:
        """Archives a plan that nobody has."""
        plan = get_object_or_404(Plan, slug=slug)
        body = ReasonOnly.read(request)
        plan = archive_plan(plan=plan, actor=actor_of(request), reason=body["reason"])
        return Response(serializers.plan_row(plan, *facts_of([plan])[plan.pk]))


class VersionReads(RowList):
    """The versions of a plan, newest first, each with its limits."""

    queryset = PlanVersion.objects.select_related("plan", "author")
    serializer_class = serializers.VERSION
    filter_backends = ()
    cursor_key = ("number",)
    cursor_descending = True

    def get_queryset(self) -> QuerySet[PlanVersion]:
        plan = get_object_or_404(Plan, slug=self.kwargs["slug"])
        return super().get_queryset().filter(plan=plan)

    def shape(self, rows: Sequence[PlanVersion]) -> list[Row]:
        terms = terms_of(rows)
        return [serializers.version_row(version, *terms[version.pk]) for version in rows]


class VersionDetail(RowDetail):
    """One version of a plan. It never changes."""

    required_permissions: ClassVar = READ
    queryset = PlanVersion.objects.select_related("plan", "author")
    serializer_class = serializers.VERSION

    def get_object(self) -> PlanVersion:
        return get_object_or_404(
            self.queryset, plan__slug=self.kwargs["slug"], number=self.kwargs["number"]
        )

    def shape(self, row: PlanVersion) -> Row:
        return serializers.version_row(row, *terms_of([row])[row.pk])


class SubscriptionList(RowList):
    """Which tenant had which plan version from when to when, the newest first."""

    required_permissions: ClassVar = READ
    queryset = Subscription.objects.select_related("tenant", "version__plan")
    serializer_class = serializers.SUBSCRIPTION
    filterset_class = SubscriptionFilters
    cursor_descending = True

    def shape(self, rows: Sequence[Subscription]) -> list[Row]:
        now = timezone.now()
        return [serializers.subscription_row(row, now) for row in rows]


class LeaseReads(RowList):
    """Leases, the newest first: those in force, to come and over."""

    queryset = Lease.objects.select_related("tenant")
    serializer_class = serializers.LEASE
    filterset_class = AdjustmentFilters
    cursor_descending = True

    def shape(self, rows: Sequence[Lease]) -> list[Row]:
        now = timezone.now()
        return [serializers.adjustment_row(row, now) for row in rows]


class LeaseDetail(RowDetail):
    """One lease."""

    required_permissions: ClassVar = READ
    queryset = Lease.objects.select_related("tenant")
    serializer_class = serializers.LEASE

    def shape(self, row: Lease) -> Row:
        return serializers.adjustment_row(row, timezone.now())


class OverrideReads(RowList):
    """Overrides, the newest first: those in force and those that ended."""

    queryset = Override.objects.select_related("tenant")
    serializer_class = serializers.OVERRIDE
    filterset_class = AdjustmentFilters
    cursor_descending = True

    def shape(self, rows: Sequence[Override]) -> list[Row]:
        now = timezone.now()
        return [serializers.adjustment_row(row, now) for row in rows]


class OverrideDetail(RowDetail):
    """One override."""

    required_permissions: ClassVar = READ
    queryset = Override.objects.select_related("tenant")
    serializer_class = serializers.OVERRIDE

    def shape(self, row: Override) -> Row:
        return serializers.adjustment_row(row, timezone.now())


class TenantLimits(APIView):
    """What a tenant may use."""

    required_permissions: ClassVar = READ

    @extend_schema(
        operation_id="tenant_limits",
        responses=serializers.EFFECTIVE_LIMITS,
        parameters=[
            OpenApiParameter(
                "at",
                str,
                description="A moment, past or to come, in ISO 8601 with its zone; now if absent. "
                "The answer for a past moment never changes.",
            )
        ],
    )
    def get(self, request: Request, slug: str) -> Response:
        """The effective limits now, or at any moment: each with its source."""
        tenant = get_object_or_404(Tenant.objects.visible_to(person_of(request)), slug=slug)
        text = request.query_params.get("at", "")
        at = moment_of(text, field="at") if "at" in request.query_params else timezone.now()
        history = load_histories([tenant.pk])[tenant.pk]
        return Response(serializers.effective_row(tenant.slug, at, effective_limits(history, at)))
