"""REST endpoints of this app."""

from __future__ import annotations

from django.urls import path

from observability.replays import api

urlpatterns = [
    path("bundles/", api.BundleList.as_view()),
    path("replays/", api.ReplayList.as_view()),
    path("replays/<int:pk>/", api.ReplayDetail.as_view()),
    path("replays/<int:pk>/results/", api.ResultList.as_view()),
    path("jobs/<int:pk>/replays/", api.RunReplays.as_view()),
]
