"""On-boarding, placing, leaving: what is written, and what is left at the end."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from console.audit.models import Entry
from console.audit.services import Actor
from console.errors import DomainError
from quotas.changes.kinds.adjustments import GrantLease, SetOverride
from quotas.changes.kinds.lifecycle import Offboard, Onboard, Resume, Suspend
from quotas.changes.kinds.placements import Displace, Place
from quotas.changes.services.offboarding import KEPT, finish_offboarding
from quotas.changes.tasks import finish_offboarding as finish_task
from quotas.enforcement.models import RolloutItem
from quotas.plans.models import Lease, Override, PlanVersion, Subscription
from tenants.models import Placement, Tenant, TenantStatus
from tests.quotas.changes.apply_change import carry_out, propose, settle

WHEN = timezone.now() + timedelta(hours=5)


def actions_since(count: int) -> list[str]:
    """What was written to the ledger after the first `count` entries, sorted."""
    return sorted(entry.action for entry in Entry.objects.order_by("pk")[count:])


def test_on_boarding_creates_tenant_plan_and_placements_in_one_step(
    dataset: SimpleNamespace, alice: Actor, gold: PlanVersion
) -> None:
    before = Entry.objects.count()
    places = (Place("hooli", "lab", "hooli"), Place("hooli", "spare", "hooli"))
    rollout = carry_out(
        Onboard("hooli", "Hooli", "gold", contact="#hooli", placements=places), alice
    )
    hooli = Tenant.objects.get(slug="hooli")
    assert hooli.contact == "#hooli"
    assert hooli.subscriptions.get().version == gold
    assert set(rollout.items.values_list("placement__target__slug", flat=True)) == {"lab", "spare"}
    assert actions_since(before) == [
        "placement.create", "placement.create", "subscription.start", "tenant.create",
    ]  # fmt: skip


def test_on_boarding_is_all_or_nothing(
    dataset: SimpleNamespace, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise DomainError("broken", "It broke.")

    monkeypatch.setattr("quotas.changes.services.proposals.create_rollout", fail)
    places = (Place("hooli", "lab", "hooli"),)
    with pytest.raises(DomainError, match="It broke"):
        carry_out(Onboard("hooli", "Hooli", "standard", placements=places), alice)
    assert not Tenant.objects.filter(slug="hooli").exists()
    assert Placement.objects.count() == 4


def test_off_boarding_needs_the_name_and_ends_everything(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    carry_out(SetOverride(("acme",), "pods", 7), alice)
    carry_out(GrantLease(("acme",), "pods", 9, WHEN), alice)
    with pytest.raises(DomainError, match="'acmee' is not 'acme'") as refused:
        carry_out(Offboard("acme"), alice, confirm="acmee")
    assert refused.value.field == "confirm"
    before = Entry.objects.count()
    rollout = carry_out(Offboard("acme"), alice, confirm="acme")
    dataset.acme.refresh_from_db()
    assert dataset.acme.status == TenantStatus.OFFBOARDING
    assert set(dataset.acme.placements.values_list("leaving", flat=True)) == {True}
    assert rollout.total == 2
    assert not Subscription.objects.filter(tenant=dataset.acme, ends_at=None).exists()
    assert not Override.objects.filter(ends_at=None).exists()
    assert not Lease.objects.filter(ends_at__gt=timezone.now()).exists()
    assert actions_since(before) == [
        "lease.end", "override.end", "placement.leave", "placement.leave", "subscription.end",
        "tenant.offboard",
    ]  # fmt: skip


def test_a_tenant_is_gone_when_its_placements_are_empty(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    now = timezone.now()
    rollout = carry_out(Offboard("acme", confirm="acme"), alice)
    assert finish_offboarding(at=now) == (0, 0)
    settle(rollout)
    assert finish_offboarding(at=now) == (0, 1)
    assert finish_offboarding(at=now) == (0, 0)
    dataset.acme.refresh_from_db()
    assert (dataset.acme.status, dataset.acme.offboarded_at) == (TenantStatus.GONE, now)
    assert rollout.items.count() == 2  # the rollout can still be read
    assert finish_offboarding(at=now + KEPT + timedelta(minutes=1)) == (2, 0)
    assert dataset.acme.placements.count() == 0
    assert Entry.objects.filter(action="tenant.gone", tenant="acme").count() == 1
    with pytest.raises(DomainError, match="gone and cannot be changed"):
        carry_out(Suspend(("acme",)), alice)


def test_a_tenant_without_placements_is_gone_at_once(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    carry_out(Onboard("hooli", "Hooli", "standard"), alice)
    rollout = carry_out(Offboard("hooli", confirm="hooli"), alice)
    assert rollout.total == 0
    finish_task()
    assert Tenant.objects.get(slug="hooli").status == TenantStatus.GONE


def test_a_failed_removal_keeps_the_tenant(dataset: SimpleNamespace, alice: Actor) -> None:
    rollout = carry_out(Offboard("acme", confirm="acme"), alice)
    settle(rollout)
    RolloutItem.objects.filter(placement=dataset.placements["spare"]).update(state="refused")
    assert finish_offboarding(at=timezone.now()) == (0, 0)


def test_a_place_that_was_left_can_be_taken_by_somebody_else(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    rollout = carry_out(Displace(dataset.placements["acme"].pk), alice, confirm="acme")
    with pytest.raises(DomainError, match="is acme's already"):
        propose(Place("initech", "lab", "acme"), alice)
    settle(rollout)
    carry_out(Place("initech", "lab", "acme"), alice)
    assert Placement.objects.get(target__slug="lab", location="acme").tenant == dataset.initech


def test_a_later_change_of_the_tenant_does_not_hold_up_what_it_left(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    settle(carry_out(Displace(dataset.placements["acme"].pk), alice, confirm="acme"))
    carry_out(SetOverride(("acme",), "pods", 7), alice)
    settle(carry_out(Offboard("acme", confirm="acme"), alice))
    carry_out(Place("initech", "lab", "acme"), alice)
    assert finish_offboarding(at=timezone.now()) == (0, 1)


def test_removing_a_placement_needs_the_name(dataset: SimpleNamespace, alice: Actor) -> None:
    with pytest.raises(DomainError, match="type the tenant's short name"):
        carry_out(Displace(dataset.placements["acme"].pk), alice)
    before = Entry.objects.count()
    carry_out(Displace(dataset.placements["acme"].pk), alice, confirm="acme")
    left = Placement.objects.get(pk=dataset.placements["acme"].pk)
    assert (left.leaving, left.generation) == (True, 2)
    assert actions_since(before) == ["placement.leave"]


def test_a_shared_queue_needs_a_fairness_key(dataset: SimpleNamespace, alice: Actor) -> None:
    with pytest.raises(DomainError, match="needs a fairness key"):
        carry_out(Place("acme", "lab", "queue", sharing="shared"), alice)
    carry_out(Place("acme", "lab", "queue", sharing="shared", fairness_key="acme"), alice)
    carry_out(Place("initech", "lab", "queue", sharing="shared", fairness_key="initech"), alice)


def test_suspending_and_resuming_is_one_entry_per_tenant(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    before = Entry.objects.count()
    carry_out(Suspend(("acme", "initech")), alice)
    _, preview = propose(Suspend(("acme", "globex")), alice)
    assert "Left out, not active: acme." in preview.warnings
    carry_out(Resume(("acme",)), alice)
    assert actions_since(before) == ["tenant.resume", "tenant.suspend", "tenant.suspend"]
    statuses = dict(Tenant.objects.values_list("slug", "status"))
    assert statuses == {"acme": "active", "initech": "suspended", "globex": "active"}
