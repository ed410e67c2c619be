"""Pages of bundles and replays."""

from __future__ import annotations

from django.urls import path

from observability.replays import views

app_name = "replays"

urlpatterns = [
    path("jobs/bundles/", views.bundle_list, name="bundles"),
    path("jobs/bundles/new/", views.bundle_new, name="bundle_new"),
    path("jobs/bundles/<int:pk>/retire/", views.bundle_retire, name="bundle_retire"),
    path("jobs/replays/", views.replay_list, name="list"),
    path("jobs/replays/new/", views.replay_new, name="new"),
    path("jobs/replays/<int:pk>/", views.replay_detail, name="replay"),
    path("jobs/replays/<int:pk>/stop/", views.replay_stop, name="stop"),
    path("jobs/<int:pk>/replays/", views.panel, name="panel"),
]
