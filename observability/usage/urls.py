"""Panels of use over time."""

from __future__ import annotations

from django.urls import path

from observability.usage import views

app_name = "usage"

urlpatterns = [path("usage/placements/<int:pk>/sparks/", views.sparks, name="sparks")]
