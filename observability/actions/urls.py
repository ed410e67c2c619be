"""Pages of this app. They stand before observability.jobs' in console.urls."""

from __future__ import annotations

from django.urls import path

from observability.actions.views import actions, batches, runs

app_name = "actions"

urlpatterns = [
    path("jobs/actions/", actions.action_list, name="list"),
    path("jobs/actions/batch/", batches.batch, name="batch"),
    path("jobs/actions/<int:pk>/", actions.action, name="detail"),
    path("jobs/actions/<int:pk>/stop/", actions.action_stop, name="stop"),
    path("jobs/<int:pk>/actions/", runs.panel, name="panel"),
    path("jobs/<int:pk>/actions/<slug:verb>/", runs.ask, name="ask"),
]
