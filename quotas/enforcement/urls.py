"""Pages of the loop: overview, tenants, rollouts, targets, drift, search."""

from __future__ import annotations

from django.urls import path

from quotas.enforcement.views import overview, rollouts, targets, tenants

app_name = "enforcement"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("search/", overview.search, name="search"),
    path("drift/", overview.drift_list, name="drift"),
    path("tenants/", tenants.tenant_list, name="tenants"),
    path("tenants/<slug:slug>/", tenants.tenant_detail, name="tenant"),
    path("rollouts/", rollouts.rollout_list, name="rollouts"),
    path("rollouts/<int:pk>/", rollouts.rollout_detail, name="rollout"),
    path("rollouts/<int:pk>/group/", rollouts.rollout_group, name="rollout_group"),
    path("targets/", targets.target_list, name="targets"),
    path("targets/dots/", overview.target_dots, name="target_dots"),
    path("targets/<slug:slug>/", targets.target_detail, name="target"),
    path("targets/<slug:slug>/test/", targets.target_test, name="target_test"),
    path("targets/<slug:slug>/sync/", targets.target_sync, name="target_sync"),
]
