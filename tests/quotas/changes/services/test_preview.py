"""A preview says what applying would do, and writes nothing."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from console.audit.models import Entry
from console.audit.services import Actor
from console.errors import DomainError
from quotas.changes.kinds.adjustments import EndLease, EndOverride, GrantLease, SetOverride
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.lifecycle import Offboard, Onboard, Resume
from quotas.changes.kinds.placements import Displace, Place
from quotas.changes.kinds.plans import MovePlan, PublishPlan
from quotas.changes.kinds.repairs import TakeOver
from quotas.enforcement.ports import Owner
from quotas.plans.contracts import Policy
from quotas.plans.models import PlanVersion, Subscription
from tests.quotas.changes.apply_change import carry_out, propose
from tests.quotas.changes.memory_adapter import MemoryAdapter
from tests.quotas.conftest import LIMITS

LESS = {**LIMITS, "requests.cpu": 30_000}
BOTH = {"temporal.weight": 1, "temporal.tenant_rate": 1}
PAST = timezone.now() - timedelta(days=1)
PUBLISH = PublishPlan("standard", 1, LESS)


def test_a_preview_writes_no_intent_and_no_ledger(dataset: SimpleNamespace, alice: Actor) -> None:
    entries, subscriptions = Entry.objects.count(), list(Subscription.objects.values_list())
    propose(PUBLISH, alice)
    assert Entry.objects.count() == entries
    assert list(Subscription.objects.values_list()) == subscriptions


def test_equal_limit_changes_are_counted_together(dataset: SimpleNamespace, alice: Actor) -> None:
    _, preview = propose(PUBLISH, alice)
    (step,) = preview.limits
    assert (step.key, step.before_text, step.after_text) == ("requests.cpu", "40 cores", "30 cores")
    assert step.tenants == preview.tenants == 3
    assert preview.title == "standard v1 → v2"
    assert ("plan", "standard v1", "standard v2") in {
        (setting.name, setting.before, setting.after) for setting in preview.settings
    }


def test_a_new_default_limit_says_whom_it_kills_or_evicts(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    disk = {
        **LIMITS,
        "container.default.ephemeral-storage": 2**29,
        "container.default.memory": 2**28,
    }
    _, preview = propose(PublishPlan("standard", 1, disk), alice)
    killed = (
        "container.default.memory (256Mi): containers that name no memory limit get this one, and a"
        " container that uses more is killed. (3 times)"
    )
    evicted = (
        "container.default.ephemeral-storage (512Mi): containers that name no ephemeral-storage"
        " limit get this one, and a pod that writes more to its local disk, logs included, is"
        " evicted. (3 times)"
    )
    assert {killed, evicted} <= set(preview.warnings)

    carry_out(PublishPlan("standard", 1, disk), alice)
    _, again = propose(PublishPlan("standard", 2, {**disk, "pods": 99}), alice)
    assert not [text for text in again.warnings if "is killed" in text or "is evicted" in text]


def test_who_uses_more_than_the_new_limit_is_named(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    plane.memory.used["lab", "acme"] = {"requests.cpu": 35_000, "pods": 500}
    plane.memory.used["lab", "initech"] = {"requests.cpu": 30_000}
    _, preview = propose(PUBLISH, alice)
    (over_limit,) = (
        preview.over_limit
    )  # pods were over their limit before: this change does not over_limit them
    assert (over_limit.tenant, over_limit.target, over_limit.used_text, over_limit.limit_text) == (
        "acme", "lab", "35 cores", "30 cores",
    )  # fmt: skip
    assert over_limit.effect == "nothing is evicted; new pods are refused until there is room"


def test_whoever_has_an_override_of_their_own_is_unchanged(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    carry_out(SetOverride(("acme",), "requests.cpu", 60_000), alice)
    until = timezone.now() + timedelta(hours=1)
    carry_out(GrantLease(("globex",), "requests.cpu", None, until), alice)
    _, preview = propose(PUBLISH, alice)
    assert [step.tenants for step in preview.limits] == [1]
    assert {(limit.tenant, limit.source, limit.value_text) for limit in preview.shadowed} == {
        ("acme", "override", "60 cores"),
        ("globex", "lease", "∞"),
    }
    assert (preview.shadowed_total, preview.shadowed_tenants) == (2, 2)


def test_objects_are_shown_field_by_field(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    for where in (("lab", "acme"), ("spare", "acme"), ("lab", "initech"), ("lab", "globex")):
        plane.memory.objects[where] = {
            "suspended": False, "group": "",
            **{f"hard[{key}]": value for key, value in LIMITS.items() if key[0] != "t"},
        }  # fmt: skip
    _, preview = propose(PUBLISH, alice)
    assert (preview.creates, preview.updates, preview.deletes) == (0, 4, 0)
    assert {(item.tenant, item.target) for item in preview.objects} == {
        ("acme", "lab"), ("acme", "spare"), ("initech", "lab"), ("globex", "lab"),
    }  # fmt: skip
    (field,) = preview.objects[0].change.fields
    assert (field.path, field.before, field.after) == (
        "hard[requests.cpu]", "40000", "30000",
    )  # fmt: skip
    assert preview.calls == 4
    assert {cost.target: cost.objects for cost in preview.costs} == {"lab": 3, "spare": 1}


def test_a_target_that_is_away_is_said_and_delays_nobody(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    plane.memory.away.add("spare")
    _, preview = propose(PUBLISH, alice)
    (away,) = preview.blocked
    assert (away.cause, away.target, away.placements) == ("unreachable", "spare", 1)
    assert "will follow" in away.message
    assert {item.target for item in preview.objects} == {"lab"}


def test_a_disabled_target_is_not_even_looked_at(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    dataset.targets["spare"].enabled = False
    dataset.targets["spare"].save()
    _, preview = propose(PUBLISH, alice)
    assert [blocked.cause for blocked in preview.blocked] == ["disabled"]
    assert plane.observations == 1


def test_refusals_of_the_plane_are_grouped(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    plane.memory.refused["pods"] = "This plane cannot count pods."
    _, preview = propose(PUBLISH, alice)
    assert {
        (blocked.cause, blocked.target, blocked.key, blocked.placements)
        for blocked in preview.blocked
    } == {
        ("refused", "lab", "pods", 3),
        ("refused", "spare", "pods", 1),
    }


def test_a_conflict_is_foreseen_with_its_owner(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    plane.memory.objects["lab", "acme"] = {"hard[requests.cpu]": 1}
    plane.memory.owners["lab", "acme"] = {"hard[requests.cpu]": Owner("argocd", declarative=True)}
    _, preview = propose(PUBLISH, alice)
    (held,) = preview.blocked
    assert (held.cause, held.owner, held.tenants) == ("conflict", "argocd", ("acme",))
    _, taken = propose(TakeOver((dataset.placements["acme"].pk,)), alice)
    assert taken.blocked == ()


def test_what_is_deleted_is_shown_and_asks_for_the_name(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    plane.memory.objects["lab", "acme"] = {"group": ""}
    _, preview = propose(Offboard("acme"), alice)
    assert (preview.deletes, preview.confirm) == (1, "acme")
    assert preview.objects[0].change.operation == "delete"


def test_a_tenant_that_is_to_come_is_previewed_like_any_other(
    dataset: SimpleNamespace, alice: Actor, gold: PlanVersion
) -> None:
    place = Place("hooli", "lab", "hooli")
    _, preview = propose(Onboard("hooli", "Hooli", "gold", placements=(place,)), alice)
    assert (preview.creates, preview.objects[0].placement) == (1, -1)
    assert {step.before_text for step in preview.limits} == {"not set"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (MovePlan(("nobody",), "standard"), "unknown_tenants"),
        (MovePlan(("acme",), "nothing"), "unknown_plan"),
        (MovePlan(("acme",), "standard", 9), "unknown_version"),
        (PublishPlan("standard", 7, LESS), "unknown_version"),
        (PublishPlan("standard", 1, LIMITS), "unchanged"),
        (PublishPlan("standard", 1, BOTH), "invalid_limits"),
        (EndLease(99), "unknown_lease"),
        (EndOverride(99), "unknown_override"),
        (Resume(("acme",)), "unchanged"),
        (Place("acme", "moon", "acme"), "unknown_target"),
        (Place("acme", "lab", "kube-system"), "invalid"),
        (Place("acme", "lab", "initech"), "taken"),
        (Place("acme", "lab", "x", sharing="both"), "invalid"),
        (Displace(999), "unknown_placement"),
        (Onboard("acme", "Acme", "standard"), "taken"),
        (Onboard("Not A Slug", "x", "standard"), "invalid"),
        (GrantLease(("acme",), "pods", 1, PAST), "lease_in_the_past"),
        (SetOverride(("acme",), "temporal.weight", None), "invalid_limit"),
        (SetOverride(("acme",), "podz", 1), "invalid_limit_key"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_when_it_is_proposed(
    dataset: SimpleNamespace, alice: Actor, change: ProposedChange, code: str
) -> None:
    with pytest.raises(DomainError) as refused:
        propose(change, alice)
    assert refused.value.code == code
    assert refused.value.message.endswith(".")


def test_the_policy_that_is_not_said_stays_as_it_was(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    strict = Policy(pod_security="restricted")
    carry_out(PublishPlan("standard", 1, LESS, strict), alice)
    _, preview = propose(PublishPlan("standard", 2, LIMITS), alice)
    assert "policy pod security" not in {setting.name for setting in preview.settings}
