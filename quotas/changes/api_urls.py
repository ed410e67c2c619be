"""REST endpoints of this app: whatever reaches the planes, and lists that grow by it."""

from __future__ import annotations

from django.urls import path

from quotas.changes.api import objects, plans, proposals, tenants

urlpatterns = [
    path("tenants/", tenants.TenantList.as_view()),
    path("tenants/<slug:slug>/suspend/", tenants.TenantSuspend.as_view()),
    path("tenants/<slug:slug>/resume/", tenants.TenantResume.as_view()),
    path("tenants/<slug:slug>/move/", tenants.TenantMove.as_view()),
    path("tenants/<slug:slug>/offboard/", tenants.TenantOffboard.as_view()),
    path("placements/", tenants.PlacementList.as_view()),
    path("placements/<int:pk>/remove/", tenants.PlacementRemove.as_view()),
    path("placements/<int:pk>/repair/", tenants.PlacementRepair.as_view()),
    path("placements/<int:pk>/take_over/", tenants.PlacementTakeOver.as_view()),
    path("plans/", plans.PlanList.as_view()),
    path("plans/<slug:slug>/versions/", plans.VersionList.as_view()),
    path("leases/", plans.LeaseList.as_view()),
    path("leases/<int:pk>/end/", plans.LeaseEnd.as_view()),
    path("overrides/", plans.OverrideList.as_view()),
    path("overrides/<int:pk>/end/", plans.OverrideEnd.as_view()),
    path("proposals/", proposals.ProposalList.as_view()),
    path("proposals/<int:pk>/", proposals.ProposalDetail.as_view(), name="api_proposal"),
    path("proposals/<int:pk>/objects/", objects.ObjectList.as_view()),
    path("proposals/<int:pk>/refresh/", proposals.ProposalRefresh.as_view()),
    path("proposals/<int:pk>/apply/", proposals.ProposalApply.as_view()),
    path("preview/", proposals.DryRun.as_view()),
]
