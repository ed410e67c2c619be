"""REST endpoints of this app."""

from __future__ import annotations

from django.urls import path

from observability.actions.api import actions, batches

urlpatterns = [
    path("actions/", actions.ActionList.as_view()),
    path("actions/batch/", batches.Batches.as_view()),
    path("actions/<int:pk>/", actions.ActionDetail.as_view(), name="api_action"),
    path("actions/<int:pk>/items/", batches.BatchItems.as_view()),
    path("actions/<int:pk>/stop/", batches.BatchStop.as_view()),
    path("jobs/<int:pk>/actions/", actions.RunActions.as_view()),
]
