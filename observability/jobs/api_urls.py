"""REST endpoints of this app."""

from __future__ import annotations

from django.urls import path

from observability.jobs.api import runs

urlpatterns = [
    path("jobs/", runs.RunList.as_view()),
    path("jobs/<int:pk>/", runs.RunDetail.as_view(), name="api_job"),
    path("jobs/<int:pk>/events/", runs.EventList.as_view()),
    path("jobs/<int:pk>/history/", runs.RunHistoryDownload.as_view()),
]
