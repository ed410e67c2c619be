"""The verbs on plans and on what tenants may use."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from console.audit.models import Entry
from console.audit.services import Actor
from console.errors import DomainError
from quotas.plans.contracts import Policy
from quotas.plans.models import Lease, Override, Plan, PlanVersion, Subscription, Suspension
from quotas.plans.services import adjustments, plans, suspensions
from quotas.plans.services.subscriptions import subscribe, unsubscribe
from tenants.models import Tenant

pytestmark = pytest.mark.django_db
LIMITS = {"pods": 10, "services": None}
POLICY = Policy()
LOOP = Actor.loop("test")
SAID: dict[str, Any] = {"actor": LOOP, "reason": "because"}


def said(content: Any) -> Any:
    """What an entry says of before or after: there must be something."""
    assert content is not None
    return content


@pytest.fixture
def version() -> PlanVersion:
    """Plan standard, version 1."""
    return plans.create_plan(slug="standard", name="Standard", limits=LIMITS, **SAID)


@pytest.fixture
def acme() -> Tenant:
    """A tenant without a plan."""
    return Tenant.objects.create(slug="acme", name="Acme")


def actions() -> list[str]:
    """The ledger's actions, oldest first, without the plan's creation."""
    listed = Entry.objects.exclude(action="plan.create").order_by("pk")
    return [entry.action for entry in listed]


def test_a_plan_begins_with_version_one(version: PlanVersion) -> None:
    assert (version.number, dict(version.limits.values_list("key", "value"))) == (1, LIMITS)
    entry = Entry.objects.get()
    assert entry.action == "plan.create"
    assert said(entry.after)["limits"] == {"pods": "10", "services": "unlimited"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"slug": "Not a slug"}, "slug"),
        ({"slug": "standard"}, "slug"),
        ({"limits": {"podz": 1}}, "podz"),
        ({"limits": {"pods": -1}}, "pods"),
        ({"limits": {"temporal.weight": None}}, "temporal.weight"),
        ({"reason": ""}, "reason"),
    ],
)
def test_a_bad_plan_names_its_field(
    version: PlanVersion, fields: dict[str, Any], field: str
) -> None:
    values = {"slug": "gold", "name": "Gold", "limits": LIMITS, **SAID, **fields}
    with pytest.raises(DomainError) as refused:
        plans.create_plan(**values)
    assert refused.value.field == field
    assert Plan.objects.count() == 1


def publish(version: PlanVersion, **fields: Any) -> plans.Published:
    """The next version after `version`, with fewer pods."""
    values = {"limits": {"pods": 5}, "policy": POLICY, "base_version": version.number, **fields}
    return plans.publish_version(plan=version.plan, **values, **SAID)


def test_publishing_takes_every_tenant_along(version: PlanVersion, acme: Tenant) -> None:
    other = Tenant.objects.create(slug="other", name="Other")
    at = timezone.now()
    subscribe(tenants=[acme, other], version=version, **SAID)
    published = publish(version, at=at + timedelta(hours=1))
    assert (published.version.number, published.moved) == (2, 2)
    closed = Subscription.objects.get(tenant=acme, version=version)
    opened = Subscription.objects.get(tenant=acme, version=published.version)
    assert closed.ends_at == opened.starts_at == at + timedelta(hours=1)
    entry = Entry.objects.get(action="plan.version.publish")
    assert said(entry.before)["limits"] == {"pods": "10", "services": "unlimited"}
    assert said(entry.after)["limits"] == {"pods": "5"}


def test_the_second_of_two_editors_is_told(version: PlanVersion) -> None:
    publish(version)
    with pytest.raises(DomainError, match="You edited version 1 of standard") as refused:
        publish(version, limits={"pods": 6})
    assert (refused.value.code, refused.value.status) == ("plan_moved_on", 409)
    assert refused.value.detail["version"] == 2
    assert PlanVersion.objects.count() == 2


def test_losing_the_race_for_the_number_is_told_in_the_same_words(
    version: PlanVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both saw version 1 as the latest; the database lets one insert version 2."""
    versions = iter([version])
    latest = plans.latest_version
    publish(version)
    monkeypatch.setattr(plans, "latest_version", lambda plan: next(versions, None) or latest(plan))
    with pytest.raises(DomainError) as refused:
        publish(version, limits={"pods": 6})
    assert refused.value.code == "plan_moved_on"


def test_another_integrity_error_is_not_hidden(
    version: PlanVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise IntegrityError("another")

    monkeypatch.setattr(plans, "subscribe", fail)
    with pytest.raises(IntegrityError):
        publish(version)


def test_publishing_the_same_terms_is_refused(version: PlanVersion) -> None:
    with pytest.raises(DomainError) as refused:
        publish(version, limits=LIMITS)
    assert refused.value.code == "unchanged"


def test_a_plan_in_use_is_not_archived(version: PlanVersion, acme: Tenant) -> None:
    subscribe(tenants=[acme], version=version, **SAID)
    with pytest.raises(DomainError, match="standard has 1 tenant; move") as refused:
        plans.archive_plan(plan=version.plan, **SAID)
    assert refused.value.code == "plan_in_use"
    unsubscribe(tenants=[acme], **SAID)
    plans.archive_plan(plan=version.plan, **SAID)
    plans.archive_plan(plan=Plan.objects.get(), **SAID)
    assert actions().count("plan.archive") == 1
    archived = PlanVersion.objects.select_related("plan").get()
    with pytest.raises(DomainError, match="archived"):
        subscribe(tenants=[acme], version=archived, **SAID)


def test_subscribing_again_to_the_same_version_writes_nothing(
    version: PlanVersion, acme: Tenant
) -> None:
    subscribe(tenants=[acme], version=version, **SAID)
    assert subscribe(tenants=[acme], version=version, **SAID) == []
    assert actions() == ["subscription.start"]


def test_a_clock_that_is_behind_closes_no_interval_before_it_began(
    version: PlanVersion, acme: Tenant
) -> None:
    at = timezone.now()
    subscribe(tenants=[acme], version=version, at=at, **SAID)
    gold = plans.create_plan(slug="gold", name="Gold", limits=LIMITS, **SAID)
    (opened,) = subscribe(tenants=[acme], version=gold, at=at - timedelta(seconds=2), **SAID)
    closed = Subscription.objects.get(version=version)
    assert closed.starts_at == closed.ends_at == opened.starts_at == at


def test_statements_grow_with_batches_not_with_tenants(
    version: PlanVersion, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    Tenant.objects.bulk_create(Tenant(slug=f"t{n}", name="T") for n in range(1000))
    subscribe(tenants=Tenant.objects.all(), version=version, **SAID)
    with django_assert_max_num_queries(45):
        published = publish(version)
    assert published.moved == 1000
    assert Entry.objects.filter(action="subscription.start").count() == 2000


def later(hours: int) -> datetime:
    """A moment to come."""
    return timezone.now() + timedelta(hours=hours)


def test_a_lease_is_granted_and_ended_early(acme: Tenant) -> None:
    (lease,) = adjustments.grant_lease(
        tenants=[acme], key="cpu", value=1500, until=later(2), **SAID
    )
    assert (lease.key, lease.author, lease.reason) == ("requests.cpu", "test", "because")
    adjustments.end_lease(lease=lease, **SAID)
    assert lease.ended_by == "test"
    with pytest.raises(DomainError, match="is over already") as refused:
        adjustments.end_lease(lease=Lease.objects.get(), **SAID)
    assert refused.value.status == 409
    granted, ended = Entry.objects.order_by("pk")
    assert (granted.action, ended.action) == ("lease.grant", "lease.end")
    assert said(granted.after)["value"] == "1500m"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"key": "podz"}, "podz"),
        ({"value": -1}, "pods"),
        ({"until": datetime(2020, 1, 1, tzinfo=timezone.get_default_timezone())}, "until"),
        ({"reason": "x"}, "reason"),
    ],
)
def test_a_bad_lease_names_its_field(acme: Tenant, fields: dict[str, Any], field: str) -> None:
    values = {"key": "pods", "value": 5, "until": later(1), **SAID, **fields}
    with pytest.raises(DomainError) as refused:
        adjustments.grant_lease(tenants=[acme], **values)
    assert refused.value.field == field
    assert Lease.objects.count() == 0


def test_an_override_replaces_the_one_that_is_open(acme: Tenant) -> None:
    (first,) = adjustments.set_override(tenants=[acme], key="pods", value=5, **SAID)
    (second,) = adjustments.set_override(tenants=[acme], key="pods", value=None, **SAID)
    assert adjustments.set_override(tenants=[acme], key="pods", value=None, **SAID) == []
    first.refresh_from_db()
    assert first.ends_at == second.starts_at
    adjustments.end_override(override=second, **SAID)
    with pytest.raises(DomainError, match="is over already"):
        adjustments.end_override(override=Override.objects.get(pk=second.pk), **SAID)
    assert actions() == ["override.set", "override.set", "override.end"]
    again = Entry.objects.order_by("pk")[1]
    assert (said(again.before)["value"], said(again.after)["value"]) == ("5", "unlimited")


def test_suspending_twice_is_one_suspension(acme: Tenant) -> None:
    assert suspensions.suspend(tenants=[acme], **SAID) == [acme]
    assert suspensions.suspend(tenants=[acme], **SAID) == []
    assert Tenant.objects.get().status == "suspended"
    assert suspensions.resume(tenants=[acme], **SAID) == [acme]
    assert suspensions.resume(tenants=[acme], **SAID) == []
    assert Suspension.objects.get().ends_at is not None
    assert actions() == ["tenant.suspend", "tenant.resume"]


def test_texts_of_a_plan_change_without_a_version(version: PlanVersion) -> None:
    plan = plans.update_plan(plan=version.plan, description=" For most ", **SAID)
    assert plan.description == "For most"
    plans.update_plan(plan=plan, description="For most", **SAID)
    assert actions() == ["plan.update"]
    with pytest.raises(DomainError) as refused:
        plans.update_plan(plan=plan, name=" ", **SAID)
    assert refused.value.field == "name"
