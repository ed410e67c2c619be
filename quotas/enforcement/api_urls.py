"""REST endpoints of this app. Lists that can be added to by a change are in quotas.changes."""

from __future__ import annotations

from django.urls import path

from quotas.enforcement.api import rollouts, targets, tenants

urlpatterns = [
    path("tenants/<slug:slug>/", tenants.TenantDetail.as_view(), name="api_tenant"),
    path("tenants/<slug:slug>/headroom/", tenants.TenantHeadroom.as_view()),
    path("placements/<int:pk>/", tenants.PlacementDetail.as_view()),
    path("targets/", targets.TargetList.as_view()),
    path("targets/<slug:slug>/", targets.TargetDetail.as_view()),
    path("targets/<slug:slug>/test/", targets.TargetTest.as_view()),
    path("targets/<slug:slug>/sync/", targets.TargetSync.as_view()),
    path("rollouts/", rollouts.RolloutList.as_view()),
    path("rollouts/<int:pk>/", rollouts.RolloutDetail.as_view(), name="api_rollout"),
    path("rollouts/<int:pk>/items/", rollouts.ItemList.as_view()),
    path("rollouts/<int:pk>/retry/", rollouts.RolloutRetry.as_view()),
    path("drift/", rollouts.DriftList.as_view()),
]
