"""Django's admin with the list of tenants, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tenants.models import Tenant

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Tenant]
else:
    Base = admin.ModelAdmin  # generic in its stubs only


@admin.register(Tenant)
class TenantAdmin(Base):
    """Fewer columns than Headroom's page: no plan, no bars, no placements."""

    list_display = ("slug", "name", "status", "condition", "updated_at")
    list_filter = ("status",)
    list_per_page = 50
    list_select_related = ("state",)
    search_fields = ("slug", "name")

    @admin.display(description="Condition")
    def condition(self, tenant: Tenant) -> str:
        """From the summary, joined."""
        return str(tenant.state.condition)


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """For the bench to know that the server is up."""
    del request
    return HttpResponse("ok\n")


urlpatterns = [path("admin/", admin.site.urls), path("healthz", healthz)]
