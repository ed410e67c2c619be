"""Whose rows somebody may know of: the one scoping verb of every model that belongs to tenants.

    class DriftQuerySet(TenantScoped["Drift"]):
        tenant_path = "placement__tenant"

    Drift.objects.visible_to(request.user)

Views, endpoints and what reads for their pages go through it; what is not visible is not found.
Tenants and their members stand in an app above this one and are reached by the names of their
fields alone.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, TypeVar

from django.db.models import Model, Q, QuerySet

from console.access.contracts import Permission
from console.access.models import User

M = TypeVar("M", bound=Model)


class TenantScoped(QuerySet[M]):
    """Rows of tenants; `tenant_path` leads from a row to its tenant, as a lookup."""

    tenant_path: ClassVar[str] = "tenant"

    def visible_to(self, user: User) -> Self:
        """Every row for console roles, at no cost; for others those of their own tenants."""
        return self if user.may(Permission.VIEW) else self.filter(self.own_of(user))

    def own_of(self, user: User) -> Q:
        """What makes a row theirs. A subquery, not a join: no row is found twice."""
        return Q(**{f"{self.tenant_path}__in": tenants_of(user, "tenant")})


def tenants_of(user: User, name: str) -> QuerySet[Any, Any]:
    """One column, as a subquery, of the memberships of a person."""
    memberships: QuerySet[Any] = user.memberships.all()
    return memberships.values(name)


def wholly_own(parts: TenantScoped[Any], link: str, user: User) -> Q:
    """What makes a whole theirs: it has parts of their tenants and of nobody else's. `link` is the
    parts' foreign key to the whole."""
    own = parts.own_of(user)
    theirs, foreign = parts.filter(own).values(link), parts.exclude(own).values(link)
    return Q(pk__in=theirs) & ~Q(pk__in=foreign)
