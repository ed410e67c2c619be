"""Pages of plans."""

from __future__ import annotations

from django.urls import path

from quotas.plans import views

app_name = "plans"

urlpatterns = [
    path("plans/", views.plan_list, name="plans"),
    path("plans/<slug:slug>/", views.plan_detail, name="plan"),
]
