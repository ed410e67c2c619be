"""REST endpoints of this app."""

from __future__ import annotations

from django.urls import path

from observability.replays.api import bundles, replays

urlpatterns = [
    path("bundles/", bundles.BundleList.as_view()),
    path("bundles/<int:pk>/", bundles.BundleDetail.as_view()),
    path("bundles/<int:pk>/retire/", bundles.BundleRetire.as_view()),
    path("replays/", replays.ReplayList.as_view()),
    path("replays/<int:pk>/", replays.ReplayDetail.as_view(), name="api_replay"),
    path("replays/<int:pk>/stop/", replays.ReplayStop.as_view()),
    path("replays/<int:pk>/results/", replays.ResultList.as_view()),
    path("jobs/<int:pk>/replays/", replays.RunReplays.as_view()),
]
