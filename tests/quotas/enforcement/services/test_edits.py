"""Edits that are no change of limits: the loop hears of them at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console import celery
from console.audit.models import Entry
from console.audit.services import Actor
from console.errors import DomainError
from quotas.enforcement.models import (
    Condition,
    ItemState,
    PlacementState,
    RolloutItem,
    RolloutKind,
    TargetState,
)
from quotas.enforcement.reconcile.operations import test_connection as check_connection
from quotas.enforcement.reconcile.probe import probe
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.sweep import sweep
from quotas.enforcement.services import edits
from quotas.enforcement.services.rollouts import bump_generations
from quotas.enforcement.tasks import probe_target
from tenants.models import Placement, Target
from tests.quotas.enforcement.fakes import (
    KUBECTL,
    FakePlane,
    make_target,
    make_tenants,
    make_version,
)

pytestmark = pytest.mark.django_db
ALICE = Actor.loop("alice")
SAID: dict[str, Any] = {"actor": ALICE, "reason": "as agreed"}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was put on the queue, and no more than that."""
    tasks: list[tuple[Any, ...]] = []

    def note(name: str, *args: Any, **kwargs: Any) -> bool:
        tasks.append((name.rpartition(".")[2], *args, *kwargs.items()))
        return True

    monkeypatch.setattr(celery, "enqueue", note)
    monkeypatch.setattr("quotas.enforcement.tasks.enqueue", note)
    monkeypatch.setattr("quotas.enforcement.reconcile.operations.enqueue", note)
    return tasks


def placed(number: int = 1, drift_policy: str = "heal") -> list[Placement]:
    """Tenants with 4 pods on a target that is up to date."""
    target = make_target("lab", drift_policy)
    placements = make_tenants(target, make_version({"pods": 4}), number)
    sweep(target.pk, force=True)
    return placements


def test_a_new_group_is_pushed_in_the_same_transaction(plane: FakePlane) -> None:
    (placement,) = placed()
    tenant = placement.tenant
    rollout = edits.edit_tenant(
        tenant=tenant, expected_generation=tenant.generation, group="devs", at=timezone.now(),
        **SAID,
    )  # fmt: skip
    assert rollout is not None
    assert (rollout.kind, rollout.reason, rollout.total) == (RolloutKind.CHANGE, "as agreed", 1)
    placement.refresh_from_db()
    assert rollout.items.get().generation == placement.generation == 2


def test_other_texts_of_a_tenant_push_nothing(plane: FakePlane) -> None:
    (placement,) = placed()
    tenant, before = placement.tenant, RolloutItem.objects.count()
    edits.edit_tenant(
        tenant=tenant, expected_generation=tenant.generation, contact="x", at=timezone.now(), **SAID
    )
    assert RolloutItem.objects.count() == before
    placement.refresh_from_db()
    assert placement.generation == 1


def test_what_is_leaving_gets_no_newer_intent(plane: FakePlane) -> None:
    (placement,) = placed()
    Placement.objects.update(leaving=True)
    bump_generations(tenant_ids=[placement.tenant_id])
    placement.refresh_from_db()
    assert placement.generation == 1


def test_new_settings_of_a_target_are_tried_at_once(
    plane: FakePlane,
    sent: list[tuple[Any, ...]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    placed()
    target = Target.objects.get()
    far = timezone.now() + timedelta(hours=1)
    TargetState.objects.update(failures=9, not_before=far, features={"fair": True})
    with django_capture_on_commit_callbacks(execute=True):
        edits.edit_target(
            target=target, expected_generation=1, endpoint="other:7233", enabled=True, **SAID
        )
    assert sent == [("probe_target", target.pk, ("afresh", True))]
    state = TargetState.objects.get()
    assert (state.condition, state.failures, state.not_before) == (Condition.UNKNOWN, 0, None)
    assert state.features == {}
    sent.clear()
    probe_target(target.pk, afresh=True)
    assert target.pk in plane.prepared
    assert [name for name, *_ in sent] == ["drain_target", "sweep_target"]
    assert TargetState.objects.get().features == {"fair": True}


def test_an_edit_that_changes_nothing_disturbs_nobody(
    plane: FakePlane,
    sent: list[tuple[Any, ...]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    placed()
    target = Target.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        edits.edit_target(target=target, expected_generation=1, name=target.name, **SAID)
    assert sent == []
    assert TargetState.objects.get().condition == Condition.SYNCED


def test_without_a_broker_the_next_probe_prepares_an_edited_target(plane: FakePlane) -> None:
    placed()
    target = Target.objects.get()
    edits.edit_target(target=target, expected_generation=1, options={"a": 1}, **SAID)
    health = probe(target.pk)
    assert health is not None
    assert health.recovered
    assert target.pk in plane.prepared


def test_a_connection_test_that_finds_a_target_again_lets_its_work_go_on(
    plane: FakePlane, sent: list[tuple[Any, ...]]
) -> None:
    placed()
    target = Target.objects.get()
    TargetState.objects.update(condition=Condition.UNREACHABLE, failures=3)
    assert check_connection(target=target, actor=ALICE, now=timezone.now()).ok
    assert [name for name, *_ in sent] == ["drain_target", "sweep_target"]


def test_drift_that_was_held_is_healed_when_a_person_says_so(plane: FakePlane) -> None:
    (placement,) = placed(drift_policy="hold")
    plane.edit(placement, "pods", 9, KUBECTL)
    sweep(placement.target_id, force=True)
    assert PlacementState.objects.get().condition == Condition.DRIFTED
    entries = Entry.objects.count()
    rollout = edits.edit_drift_policy(placement=placement, policy="heal", at=timezone.now(), **SAID)
    assert rollout is not None
    assert rollout.kind == RolloutKind.REPAIR
    entry = Entry.objects.order_by("pk")[entries]
    assert (entry.action, entry.reason) == ("placement.drift_policy", "as agreed")
    assert (entry.before, entry.after) == ({"drift_policy": ""}, {"drift_policy": "heal"})
    process_queue(placement.target_id)
    assert plane.value(placement, "pods") == 4
    assert rollout.items.get().state == ItemState.DONE


def test_a_placement_may_hold_what_its_target_heals(plane: FakePlane) -> None:
    (placement,) = placed()
    arguments: dict[str, Any] = {"placement": placement, "at": timezone.now(), **SAID}
    assert edits.edit_drift_policy(policy="hold", **arguments) is None
    before = Entry.objects.count()
    # Nothing new, nothing written:
    assert edits.edit_drift_policy(policy="hold", **arguments) is None
    assert Entry.objects.count() == before
    plane.edit(placement, "pods", 9, KUBECTL)
    sweep(placement.target_id, force=True)
    assert plane.value(placement, "pods") == 9
    with pytest.raises(DomainError, match="not a valid choice"):
        edits.edit_drift_policy(policy="never", **arguments)
