"""Pages of this app."""

from __future__ import annotations

from django.urls import path

from observability.jobs.api.metrics import Metrics
from observability.jobs.views import explorer, ingest, run, saved

app_name = "jobs"

urlpatterns = [
    path("jobs/", explorer.explorer, name="explorer"),
    path("jobs/facets/", explorer.facets, name="facets"),
    path("jobs/fresh/", explorer.fresh, name="fresh"),
    path("jobs/saved/", saved.save, name="save"),
    path("jobs/saved/<int:pk>/remove/", saved.remove, name="unsave"),
    path("jobs/panels/tenant/<slug:slug>/", explorer.tenant_panel, name="tenant_panel"),
    path("jobs/panels/failures/", explorer.failures_panel, name="failures_panel"),
    path("jobs/targets/<slug:slug>/ingest/", ingest.ingest_panel, name="ingest_panel"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("jobs/<int:pk>/", run.run_detail, name="run"),
    path("jobs/<int:pk>/live/", run.run_live, name="run_live"),
    path("jobs/<int:pk>/events/", run.run_events, name="events"),
    path("jobs/<int:pk>/events/<int:event>/", run.run_event, name="event"),
    path("jobs/<int:pk>/history/", run.run_history, name="history"),
]
