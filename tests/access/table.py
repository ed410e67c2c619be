"""Who may do what: every page, every REST operation and every kind of change, declared once.

What stands here is what is meant; tests/access/test_matrix.py tries whether it is so. A page, an
operation or a kind that is not here fails there.
"""

from __future__ import annotations

from enum import Enum


class Need(Enum):
    """What an address asks of whoever comes."""

    OPEN = "nothing, not even a sign-in"
    SIGN_IN = "a sign-in of whatever role, by a session"
    OWN = "that it is their tenant's, or that they see everything"
    VIEW = "a role that sees everything"
    OPERATE = "a role that operates"
    ADMINISTER = "a role that administers"
    VIEW_OPERATE = "a role that sees everything; to send something, one that operates"
    SELF = "a sign-in, and that it is their own: what is others' is not found"
    OWN_OPERATE = "a role that operates; members learn that it is theirs, not that it exists"
    OWN_OR_OPERATE = "that it is their tenant's, or a role that operates"


# Pages by the resolver's name. Every method of a page needs the same.
PAGES: dict[Need, str] = {
    Need.OPEN: "access:sign_in",
    Need.SIGN_IN: "access:sign_out access:account access:password",
    Need.SELF: "access:revoke_token",
    Need.VIEW_OPERATE: "replays:panel",
    Need.VIEW: """
        api_docs audit:ledger changes:proposal changes:proposal_objects changes:proposal_yaml
        changes:proposals enforcement:drift enforcement:overview enforcement:rollout
        enforcement:rollouts enforcement:search enforcement:target enforcement:target_dots
        enforcement:targets enforcement:tenant enforcement:tenants plans:plan plans:plans
        usage:sparks replays:bundles replays:list replays:replay actions:list
        actions:detail actions:panel jobs:event jobs:events jobs:explorer jobs:facets
        jobs:failures_panel jobs:fresh jobs:ingest_panel jobs:run jobs:run_live jobs:save
        jobs:tenant_panel jobs:unsave
    """,
    Need.OPERATE: """
        changes:bulk changes:drift_policy changes:end_lease changes:limits changes:proposal_apply
        changes:proposal_discard changes:proposal_refresh changes:repair changes:resume
        changes:suspend changes:take_over enforcement:rollout_group enforcement:target_sync
        enforcement:target_test replays:new replays:stop actions:ask actions:batch actions:stop
        jobs:history
    """,
    Need.ADMINISTER: """
        access:change_role access:invite access:people access:reset_password access:set_active
        changes:displace changes:end_override changes:member_add changes:member_remove changes:move
        changes:offboard changes:onboard changes:place changes:plan_archive changes:plan_edit
        changes:plan_new changes:target_edit changes:target_new changes:target_saved
        changes:tenant_edit replays:bundle_new replays:bundle_retire
    """,
}

# REST operations below /api/v1/, with a blank where the address has a parameter.
OPERATIONS: dict[Need, str] = {
    Need.OWN: """
        GET:jobs/  GET:jobs/_/  GET:jobs/_/events/  GET:jobs/_/actions/  GET:jobs/_/replays/
    """,
    Need.OWN_OR_OPERATE: "GET:jobs/_/history/",
    Need.OWN_OPERATE: "POST:jobs/_/actions/",
    Need.VIEW: """
        GET:actions/ GET:actions/_/ GET:actions/_/items/ GET:bundles/ GET:bundles/_/ GET:drift/
        GET:leases/ GET:leases/_/ GET:overrides/ GET:overrides/_/ GET:placements/
        GET:placements/_/ GET:plans/ GET:plans/_/ GET:plans/_/versions/ GET:plans/_/versions/_/
        GET:proposals/ GET:proposals/_/ GET:proposals/_/objects/ GET:replays/ GET:replays/_/
        GET:replays/_/results/ GET:rollouts/ GET:rollouts/_/ GET:rollouts/_/items/
        GET:subscriptions/ GET:targets/ GET:targets/_/ GET:tenants/ GET:tenants/_/
        GET:tenants/_/headroom/ GET:tenants/_/limits/ GET:tenants/_/members/
        GET:tenants/_/members/_/ GET:unreadable/ GET:schema/ GET:metrics
    """,
    Need.OPERATE: """
        POST:actions/_/stop/ POST:actions/batch/ POST:jobs/_/replays/ POST:leases/
        POST:leases/_/end/ PATCH:placements/_/ POST:placements/_/repair/
        POST:placements/_/take_over/ POST:preview/ POST:proposals/ DELETE:proposals/_/
        POST:proposals/_/apply/ POST:proposals/_/refresh/ POST:replays/ POST:replays/_/stop/
        POST:rollouts/_/retry/ POST:targets/_/sync/ POST:targets/_/test/ POST:tenants/_/resume/
        POST:tenants/_/suspend/
    """,
    Need.ADMINISTER: """
        POST:bundles/ POST:bundles/_/retire/ POST:overrides/ POST:overrides/_/end/
        POST:placements/ POST:placements/_/remove/ POST:plans/ PATCH:plans/_/
        POST:plans/_/archive/ POST:plans/_/versions/ POST:targets/ PATCH:targets/_/ POST:tenants/
        PATCH:tenants/_/ POST:tenants/_/members/ DELETE:tenants/_/members/_/ POST:tenants/_/move/
        POST:tenants/_/offboard/
    """,
}

# Kinds of change: who may propose, dry-run, apply and discard one.
KINDS: dict[Need, str] = {
    Need.OPERATE: "EndLease GrantLease Repair Resume Suspend TakeOver",
    Need.ADMINISTER: """
        Displace EndOverride MovePlan Offboard Onboard Place PublishPlan SetOverride
    """,
}


def needs(table: dict[Need, str]) -> dict[str, Need]:
    """The table the other way round: what each name needs. A name that stands twice is an error."""
    named = [(name, need) for need, names in table.items() for name in names.split()]
    assert len({name for name, _ in named}) == len(named), "a name stands twice"
    return dict(named)
