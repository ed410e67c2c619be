"""Every URL. Apps are named by string only: the frame imports nothing that stands on it."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("access/", include("console.access.urls")),
    path("", include("console.audit.urls")),
    # Before enforcement: /tenants/new/ is no tenant.
    path("", include("quotas.changes.urls")),
    path("", include("quotas.enforcement.urls")),
    path("", include("quotas.plans.urls")),
    path("", include("tenants.urls")),
    path("", include("observability.usage.urls")),
    # Before jobs: /jobs/replays/ and /jobs/actions/ are no runs.
    path("", include("observability.replays.urls")),
    path("", include("observability.actions.urls")),
    path("", include("observability.jobs.urls")),
    path("api/", include("console.rest.urls")),
]

handler400 = "console.error_pages.bad_request"
handler500 = "console.error_pages.server_error"
