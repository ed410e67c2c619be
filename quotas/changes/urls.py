"""Pages by which people change things. They stand before quotas.enforcement's in console.urls."""

from __future__ import annotations

from django.urls import path

from quotas.changes.views import bulk, people, placements, plans, proposals, targets, tenants

app_name = "changes"

urlpatterns = [
    path("changes/", proposals.proposal_list, name="proposals"),
    path("changes/bulk/", bulk.bulk, name="bulk"),
    path("changes/<int:pk>/", proposals.proposal, name="proposal"),
    path("changes/<int:pk>/refresh/", proposals.proposal_refresh, name="proposal_refresh"),
    path("changes/<int:pk>/apply/", proposals.proposal_apply, name="proposal_apply"),
    path("changes/<int:pk>/discard/", proposals.proposal_discard, name="proposal_discard"),
    path("changes/<int:pk>/yaml/", proposals.proposal_yaml, name="proposal_yaml"),
    path("changes/<int:pk>/objects/", proposals.proposal_objects, name="proposal_objects"),
    path("tenants/new/", tenants.onboard, name="onboard"),
    path("tenants/<slug:slug>/limits/", tenants.limits, name="limits"),
    path("tenants/<slug:slug>/suspend/", tenants.suspend, name="suspend"),
    path("tenants/<slug:slug>/resume/", tenants.resume, name="resume"),
    path("tenants/<slug:slug>/place/", tenants.place, name="place"),
    path("tenants/<slug:slug>/move/", tenants.move, name="move"),
    path("tenants/<slug:slug>/edit/", people.tenant_edit, name="tenant_edit"),
    path("tenants/<slug:slug>/members/", people.member_add, name="member_add"),
    path(
        "tenants/<slug:slug>/members/<int:pk>/remove/", people.member_remove, name="member_remove"
    ),
    path("tenants/<slug:slug>/offboard/", tenants.offboard, name="offboard"),
    path("placements/<int:pk>/repair/", placements.repair, name="repair"),
    path("placements/<int:pk>/take-over/", placements.take_over, name="take_over"),
    path("placements/<int:pk>/drift/", placements.drift_policy, name="drift_policy"),
    path("placements/<int:pk>/remove/", placements.displace, name="displace"),
    path("leases/<int:pk>/end/", placements.end_lease, name="end_lease"),
    path("overrides/<int:pk>/end/", placements.end_override, name="end_override"),
    path("targets/new/", targets.target_new, name="target_new"),
    path("targets/<slug:slug>/edit/", targets.target_edit, name="target_edit"),
    path("targets/<slug:slug>/saved/", targets.target_saved, name="target_saved"),
    path("plans/new/", plans.plan_new, name="plan_new"),
    path("plans/<slug:slug>/edit/", plans.plan_edit, name="plan_edit"),
    path("plans/<slug:slug>/archive/", plans.plan_archive, name="plan_archive"),
]
