"""The people of a tenant, and what cannot be read of theirs. What else there is of tenants needs
plans and planes: see quotas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from console.access.contracts import Permission
from console.access.idempotency import Idempotent
from console.access.models import User
from console.access.rights import actor_of, person_of
from console.audit.services import require_reason
from console.errors import DomainError
from console.rest.views import (
    READ,
    Row,
    RowList,
    TaggedDetail,
)
from tenants import serializers
from tenants.filters import UnreadableFilters
from tenants.models import Membership, Tenant, UnreadableObject
from tenants.services import governance


class MemberList(Idempotent, RowList):
    """The people of a tenant."""

    required_permissions: ClassVar = {**READ, "POST": Permission.ADMINISTER}
    queryset = Membership.objects.select_related("user")
    serializer_class = serializers.MEMBER
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Membership]:
        tenant = get_object_or_404(
            Tenant.objects.visible_to(person_of(self.request)), slug=self.kwargs["slug"]
        )
        return super().get_queryset().filter(tenant=tenant)

    def shape(self, rows: Sequence[Membership]) -> list[Row]:
        return [serializers.member_row(row) for row in rows]

    @extend_schema(request=serializers.NewMember, responses={201: serializers.MEMBER})
    def post(self, request: Request, slug: str) -> Response:
        """Makes somebody who can sign in a member of the tenant."""
        tenant = get_object_or_404(Tenant.objects.visible_to(person_of(request)), slug=slug)
        body = serializers.NewMember.read(request)
        name = body["user"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise DomainError(
                "unknown_user",
                f"user: {name[:80]!r} is not a user; use the name that the person signs in with.",
                field="user",
            )
        made = governance.add_member(
            tenant=tenant,
            user=user,
            role=body["role"],
            actor=actor_of(request),
            reason=body["reason"],
        )
        return Response(serializers.member_row(made), status=status.HTTP_201_CREATED)


class MemberDetail(TaggedDetail):
    """One person of a tenant."""

    required_permissions: ClassVar = {**READ, "DELETE": Permission.ADMINISTER}
    queryset = Membership.objects.select_related("user", "tenant")
    serializer_class = serializers.MEMBER

    def get_queryset(self) -> QuerySet[Membership]:
        return super().get_queryset().filter(tenant__slug=self.kwargs["slug"])

    def etag_of(self, instance: Membership) -> str:
        """Made of who and which role."""
        return f"{instance.pk}-{instance.user_id}-{instance.role}"

    def shape(self, row: Membership) -> Row:
        return serializers.member_row(row)

    @extend_schema(
        parameters=[OpenApiParameter("reason", str, required=True, description="Why.")],
        responses={204: None},
    )
    def delete(self, request: Request, **_: Any) -> Response:
        """Takes the person out of the tenant."""
        membership = self.get_object()
        reason = require_reason(request.query_params.get("reason", ""))
        governance.remove_member(membership=membership, actor=actor_of(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)


class UnreadableList(RowList):
    """What could not be read on targets, what was met first last."""

    required_permissions: ClassVar = READ
    queryset = UnreadableObject.objects.select_related("tenant", "target")
    serializer_class = serializers.UNREADABLE
    filterset_class = UnreadableFilters
    cursor_descending = True

    def shape(self, rows: Sequence[UnreadableObject]) -> list[Row]:
        return [serializers.unreadable_row(row) for row in rows]
