"""Pages of this app."""

from __future__ import annotations

from django.urls import path

from observability.jobs.views import explorer

app_name = "jobs"

urlpatterns = [
    path("jobs/", explorer.explorer, name="explorer"),
    path("jobs/facets/", explorer.facets, name="facets"),
    path("jobs/fresh/", explorer.fresh, name="fresh"),
    path("jobs/panels/tenant/<slug:slug>/", explorer.tenant_panel, name="tenant_panel"),
    path("jobs/panels/failures/", explorer.failures_panel, name="failures_panel"),
]
