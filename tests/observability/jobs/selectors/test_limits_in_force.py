"""The limits that were meant for a run when it was accepted, beside those of today."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from console.access.models import Role, User
from console.audit.services import Actor, record
from observability.engines.contracts import Status
from observability.jobs.models import JobRun
from observability.jobs.selectors.limits_in_force import LimitRow, limits_in_force
from quotas.enforcement.models import Condition, PlacementState
from quotas.plans.models import Lease, Override, PlanVersion, Subscription, Suspension
from quotas.plans.services.plans import create_plan
from tenants.models import Placement, Sharing, Tenant
from tests.ledger import open_to_the_past
from tests.observability.jobs.factories import NOON, after, make_run, make_target, make_tenant

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def ann() -> Actor:
    """Who makes plans."""
    return Actor.person(User.objects.create_user("ann", role=Role.ADMIN))


def plan(ann: Actor, slug: str, **limits: int | None) -> PlanVersion:
    """Version 1 of a plan."""
    keyed = {key.replace("__", "."): value for key, value in limits.items()}
    return create_plan(slug=slug, name=slug, limits=keyed, actor=ann, reason="test", at=NOON - DAY)


@pytest.fixture
def acme(ann: Actor) -> Tenant:
    """On plan standard until ten minutes after noon, then on gold."""
    tenant = make_tenant()
    standard = plan(ann, "standard", temporal__queue_rate=20_000, requests__cpu=40_000)
    gold = plan(ann, "gold", temporal__queue_rate=50_000, requests__cpu=40_000)
    Subscription.objects.create(
        tenant=tenant, version=standard, starts_at=NOON - DAY, ends_at=after(600)
    )
    Subscription.objects.create(tenant=tenant, version=gold, starts_at=after(600))
    return tenant


def row_of(run: JobRun, now: datetime, key: str = "temporal.queue_rate") -> LimitRow:
    """One limit of the run."""
    limits = limits_in_force(run, now=now)
    assert limits is not None
    return next(row for row in limits.rows if row.key == key)


def lowered(tenant: Tenant, **fields: Any) -> None:
    """A lease of 2/s from half past eleven until a minute after noon."""
    values: dict[str, Any] = {
        "key": "temporal.queue_rate",
        "value": 2_000,
        "starts_at": NOON - timedelta(minutes=30),
        "ends_at": after(60),
        "reason": "spare the database",
        "author": "ann",
    }
    Lease.objects.create(tenant=tenant, **(values | fields))


def test_the_past_is_answered_through_subscriptions(acme: Tenant) -> None:
    row = row_of(make_run(tenant=acme), now=after(3600))
    assert (row.then, row.end, row.now) == ("20/s", "", "50/s")
    assert row.source == "standard v1"


def test_a_lease_that_ended_meanwhile_is_named_with_who_and_why(acme: Tenant) -> None:
    lowered(acme)
    row = row_of(make_run(tenant=acme, closed_at=after(300)), now=after(3600))
    assert (row.then, row.end, row.now) == ("2/s", "20/s", "50/s")
    assert row.source.startswith("lease to 22 Nov 12:01 UTC")
    assert row.why == "ann: spare the database; the plan says 20/s"


def test_a_lease_that_came_later_changes_nothing_about_then(acme: Tenant) -> None:
    lowered(acme, starts_at=after(30), ends_at=after(600))
    row = row_of(make_run(tenant=acme, closed_at=after(60)), now=after(40))
    assert (row.then, row.end) == ("20/s", "2/s")


def test_an_override_is_told_from_a_lease(acme: Tenant) -> None:
    Override.objects.create(
        tenant=acme, key="requests.cpu", value=None, reason="migration", author="bob",
        starts_at=NOON - DAY,
    )  # fmt: skip
    run = make_run(make_target("k8s", "kubernetes"), tenant=acme)
    row = row_of(run, after(1), "requests.cpu")
    assert (row.then, row.source) == ("∞", "override")
    assert row.why == "bob: migration; the plan says 40 cores"


def test_only_limits_of_the_engine_are_listed_and_the_rest_counted(acme: Tenant) -> None:
    for kind, keys in {
        "temporal": ["temporal.queue_rate"],
        "kubernetes": ["requests.cpu"],
        "argo": ["requests.cpu"],
        "celery": [],
    }.items():
        limits = limits_in_force(make_run(make_target(kind, kind), tenant=acme), now=after(60))
        assert limits is not None
        assert [row.key for row in limits.rows] == keys
        assert limits.elsewhere == 2 - len(keys)


def test_a_suspension_of_that_time_is_said(acme: Tenant) -> None:
    Suspension.objects.create(
        tenant=acme, reason="unpaid", author="ann", starts_at=NOON - DAY, ends_at=after(5)
    )
    limits = limits_in_force(make_run(tenant=acme, status=Status.WAITING), now=after(60))
    assert limits is not None
    assert limits.suspended == "unpaid"


def test_nobodys_run_had_no_limits() -> None:
    assert limits_in_force(make_run(), now=after(1)) is None


def test_a_tenant_without_a_plan_had_none_either() -> None:
    limits = limits_in_force(make_run(tenant=make_tenant("new")), now=after(1))
    assert limits is not None
    assert (limits.plan, limits.rows) == ("", [])


def changed(actor: Actor, minutes: int, tenant: str = "acme", kind: str = "tenant") -> None:
    """An entry of the ledger, so many minutes after the run was accepted."""
    with open_to_the_past():
        record(
            actor=actor, action="lease.grant", object_type=kind, object_id=1,
            object_label=str(minutes), tenant=tenant, at=NOON + timedelta(minutes=minutes),
        )  # fmt: skip


def labels(run: JobRun, now: datetime) -> list[str]:
    """The labels of the changes that are listed."""
    limits = limits_in_force(run, now=now)
    assert limits is not None
    return [entry.object_label for entry in limits.changes]


def test_what_was_changed_in_the_hour_before_and_since_is_listed(acme: Tenant, ann: Actor) -> None:
    for minutes, tenant in (
        (-61, "acme"),
        (-59, "acme"),
        (-1, "acme"),
        (-1, "globex"),
        (1, "acme"),
    ):
        changed(ann, minutes, tenant)
    assert labels(make_run(tenant=acme), after(3600)) == ["1", "-1", "-59"]


def test_what_was_changed_after_its_end_is_not_listed(acme: Tenant, ann: Actor) -> None:
    changed(ann, 1)
    changed(ann, 9)
    assert labels(make_run(tenant=acme, closed_at=after(300)), after(3600)) == ["1"]


def test_what_was_done_to_many_runs_does_not_hide_the_one_lease(acme: Tenant, ann: Actor) -> None:
    changed(ann, -5)
    for _ in range(20):
        changed(ann, -1, kind="job")
    assert labels(make_run(tenant=acme), after(60)) == ["-5"]


def test_a_run_that_goes_on_has_no_limits_at_its_end(acme: Tenant) -> None:
    lowered(acme, starts_at=after(30), ends_at=after(6000))
    row = row_of(make_run(tenant=acme, status=Status.RUNNING), now=after(60))
    assert (row.then, row.end, row.now) == ("20/s", "", "2/s")


def test_what_the_target_enforces_is_said_where_it_is_not_what_is_meant(acme: Tenant) -> None:
    target = make_target("k8s", "kubernetes")
    placement = Placement.objects.create(tenant=acme, target=target, location="acme")
    rows = {"requests.cpu": {"intended": 40_000, "enforced": 1_300}}
    state = PlacementState.objects.create(placement=placement, limits=rows)
    run = make_run(target, tenant=acme, location="acme")
    assert row_of(run, after(1), "requests.cpu").enforced == "1.3 cores"
    state.limits["requests.cpu"]["enforced"] = 40_000
    state.save()
    assert row_of(run, after(1), "requests.cpu").enforced == ""


def enforcing(cores: int, placement: Placement, **fields: Any) -> PlacementState:
    """A placement of which so many cores are intended, and others enforced."""
    rows = {"requests.cpu": {"intended": 40_000, "enforced": cores * 1000}}
    return PlacementState.objects.create(placement=placement, limits=rows, **fields)


def test_what_the_target_enforces_is_as_of_when_it_was_read_last(acme: Tenant) -> None:
    target = make_target("k8s", "kubernetes")
    placement = Placement.objects.create(tenant=acme, target=target, location="acme")
    away = Condition.UNREACHABLE
    state = enforcing(3, placement, observed_at=NOON - DAY, condition=away)
    run = make_run(target, tenant=acme, location="acme")
    limits = limits_in_force(run, now=after(1))
    assert limits is not None
    assert limits.enforced_as_of == NOON - DAY
    state.delete()
    limits = limits_in_force(run, now=after(1))
    assert limits is not None
    assert limits.enforced_as_of is None


@pytest.mark.parametrize(
    ("place", "cores"),
    [
        ({"queue": "shared", "fairness_key": "acme-a"}, "1 core"),
        ({"queue": "shared", "fairness_key": "acme-b"}, "2 cores"),
        ({"queue": "own", "fairness_key": "acme-b"}, "3 cores"),
        ({"queue": "shared"}, ""),
        ({"queue": "elsewhere"}, ""),
    ],
)
def test_of_several_placements_that_of_the_run_counts(
    acme: Tenant, place: dict[str, str], cores: str
) -> None:
    target = make_target("k8s", "kubernetes")
    shared = {"tenant": acme, "target": target, "location": "shared", "sharing": Sharing.SHARED}
    enforcing(1, Placement.objects.create(**shared, fairness_key="acme-a"))
    enforcing(2, Placement.objects.create(**shared, fairness_key="acme-b"))
    enforcing(3, Placement.objects.create(tenant=acme, target=target, location="own"))
    run = make_run(target, tenant=acme, location="default", **place)
    assert row_of(run, after(1), "requests.cpu").enforced == cores
