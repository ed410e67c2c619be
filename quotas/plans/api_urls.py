"""REST endpoints of this app. Lists that can be added to are in quotas.changes."""

from __future__ import annotations

from django.urls import path

from quotas.plans import api

urlpatterns = [
    path("plans/<slug:slug>/", api.PlanDetail.as_view(), name="api_plan"),
    path("plans/<slug:slug>/archive/", api.PlanArchive.as_view()),
    path("plans/<slug:slug>/versions/<int:number>/", api.VersionDetail.as_view()),
    path("subscriptions/", api.SubscriptionList.as_view()),
    path("leases/<int:pk>/", api.LeaseDetail.as_view()),
    path("overrides/<int:pk>/", api.OverrideDetail.as_view()),
    path("tenants/<slug:slug>/limits/", api.TenantLimits.as_view()),
]
