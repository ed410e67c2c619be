"""A mistake of ours with one placement is that placement's failure, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from quotas.enforcement.diff import diff
from quotas.enforcement.models import Drift, ItemState, PlacementState, RolloutItem, TargetState
from quotas.enforcement.ports import Observation, PlacementChanges
from quotas.enforcement.reconcile import attempt, classify, queue, settle
from quotas.enforcement.reconcile.planning import PlacementPlan, plan_changes
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.states import save_states
from quotas.enforcement.reconcile.sweep import sweep
from quotas.enforcement.rules import split_by_owner
from quotas.plans.effective import effective_limits
from quotas.plans.selectors import load_current
from tenants.contracts import PlacementRef, Unreadable
from tenants.models import Placement, Target, UnreadableObject
from tests.quotas.enforcement.conftest import order
from tests.quotas.enforcement.fakes import FakePlane, make_target, make_tenants, make_version, move

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent")]

SENTENCE = "Unexpected KeyError: 'metadata'. The log has the traceback."
BAD = "t1"
"""Whoever has this namespace is the one that we stumble over."""


class Stumbling(FakePlane):
    """A plane that stumbles over one placement, wherever a test says so."""

    def observe(
        self, *, target: Any, placements: Sequence[PlacementRef], everything: bool
    ) -> Observation:
        """As the plane does, but for the one."""
        if "observe" in self.broken and any(ref.location == BAD for ref in placements):
            raise KeyError("metadata")
        observation = super().observe(target=target, placements=placements, everything=everything)
        if "read" not in self.broken:
            return observation
        there = {
            ref.id: observation.placements[ref.id] for ref in placements if ref.location != BAD
        }
        wrong = {ref.id: KeyError("metadata") for ref in placements if ref.location == BAD}
        return Observation(there, 1, errors=wrong)

    def apply(self, *, target: Any, work: Sequence[PlacementChanges], on_result: Any) -> None:
        """As the plane does, but for the one, which leaves those after it unreported."""
        for item in work:
            if "apply" in self.broken and item.placement.location == BAD:
                raise KeyError("metadata")
            super().apply(target=target, work=[item], on_result=on_result)


@pytest.fixture
def plane(monkeypatch: pytest.MonkeyPatch) -> FakePlane:
    """The plane that stumbles."""
    fake = Stumbling()
    monkeypatch.setattr("quotas.enforcement.adapters.registry.adapter_for", lambda kind: fake)
    return fake


def stumbling(function: Callable[..., Any], where: Callable[..., str]) -> Callable[..., Any]:
    """A function of ours with a mistake in it that one placement brings out."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if where(*args, **kwargs) == BAD:
            raise KeyError("metadata")
        return function(*args, **kwargs)

    return wrapped


def _of_objects(desired: Any, *_: Any) -> str:
    return next((want.ref.namespace for want in desired), "")


def _of_changes(changes: Any, *_: Any, **__: Any) -> str:
    return next((change.ref.namespace for change in changes), "")


def _of_attempt(_: Any, turn: attempt.Attempt, *__: Any) -> str:
    return turn.plan.placement.location


LOOP = "quotas.enforcement.reconcile"
PLACES: dict[str, tuple[str, Callable[..., Any], Callable[..., str]] | None] = {
    "observe": None,
    "read": None,
    "apply": None,
    "diff": (f"{LOOP}.planning.diff", diff, _of_objects),
    "split": ("quotas.enforcement.rules.split_by_owner", split_by_owner, _of_changes),
    "settle": (f"{LOOP}.settle._note", settle._note, _of_attempt),
}


@pytest.fixture(params=list(PLACES))
def broken(
    request: pytest.FixtureRequest, plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Each place in turn where a mistake can be."""
    place = PLACES[request.param]
    plane.broken = {request.param}
    if place is not None:
        name, function, where = place
        monkeypatch.setattr(name, stumbling(function, where))
    return str(request.param)


def test_a_mistake_with_one_placement_fails_it_and_its_rollout_goes_on(
    plane: FakePlane, broken: str
) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 5)
    rollout = order(placements)
    with capture_logs() as logs:
        process_queue(placements[0].target_id)
    items = {item.placement_id: item for item in RolloutItem.objects.all()}
    for placement in placements:
        item = items[placement.pk]
        if placement.location == BAD:
            assert (item.state, item.message) == (ItemState.FAILED, SENTENCE)
            state = PlacementState.objects.get(placement=placement)
            assert (state.condition, state.message) == ("refused", SENTENCE)
        else:
            assert item.state == ItemState.DONE, (placement.location, item.message)
            assert plane.value(placement, "pods") == 1
    rollout.refresh_from_db()
    assert rollout.finished_at
    # What could not be read its adapter has logged.
    assert broken == "read" or any(line.get("exc_info") for line in logs)
    assert TargetState.objects.get().condition == "synced"


def test_what_failed_is_not_tried_again_and_again(plane: FakePlane, broken: str) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 3)
    order(placements)
    target = placements[0].target_id
    process_queue(target)
    items = RolloutItem.objects.count()
    for _ in range(3):
        process_queue(target)
        sweep(target, force=True)
    # A sweep may order the push once more: it does not know whether the mistake is mended.
    assert RolloutItem.objects.count() <= items + 1
    state = PlacementState.objects.get(placement__location=BAD)
    # What could not be written down was pushed: a sweep finds it as it should be.
    assert state.message == ("" if broken == "settle" else SENTENCE)


def test_a_mistake_that_is_nobodys_fails_the_batch_once(
    plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    placements = make_tenants(make_target(), make_version({"pods": 1}), 2)
    rollout = order(placements)

    def fails(*_: Any) -> None:
        raise KeyError("metadata")

    monkeypatch.setattr(queue, "current_limits", fails)
    process_queue(placements[0].target_id)
    process_queue(placements[0].target_id)
    items = RolloutItem.objects.all()
    assert {(item.state, item.attempts, item.message) for item in items} == {
        (ItemState.FAILED, 1, SENTENCE)
    }
    rollout.refresh_from_db()
    assert rollout.finished_at


def _settled(plane: FakePlane, number: int = 3) -> list[Placement]:
    """Placements whose limits are enforced."""
    working, plane.broken = plane.broken, set()
    placements = make_tenants(make_target(), make_version({"pods": 10}), number)
    order(placements)
    process_queue(placements[0].target_id)
    plane.broken = working
    return placements


@pytest.mark.parametrize("place", ["observe", "read", "classify", "save"])
def test_a_sweep_that_stumbles_over_one_placement_heals_the_others(
    plane: FakePlane, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    placements = _settled(plane)
    for placement in placements:
        plane.edit(placement, "pods", 999)
    plane.broken = {place}
    if place == "classify":

        def of_plan(_: Any, plan: PlacementPlan, *__: Any) -> str:
            return plan.placement.location

        monkeypatch.setattr(classify, "_classify", stumbling(classify._classify, of_plan))
    if place == "save":

        def of_states(states: Any) -> str:
            bad = placements[1].pk
            wrong = any(s.placement_id == bad and s.message != SENTENCE for s in states)
            return BAD if wrong else ""

        name = f"{LOOP}.sweep.save_states"
        monkeypatch.setattr(name, stumbling(save_states, of_states))
    sweep(placements[0].target_id, force=True)
    values = [plane.value(placement, "pods") for placement in placements]
    assert values == [10, 999, 10]
    state = PlacementState.objects.get(placement=placements[1])
    assert (state.condition, state.message) == ("refused", SENTENCE)
    assert Drift.objects.filter(outcome="healed").count() == 2
    assert TargetState.objects.get().swept_at


@pytest.mark.parametrize("place", ["observe", "read", "diff"])
def test_a_preview_says_which_placement_we_stumble_over(
    plane: FakePlane, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    placements = _settled(plane)
    move(placements, make_version({"pods": 20}, 2))
    plane.broken = {place}
    if place == "diff":
        monkeypatch.setattr(f"{LOOP}.planning.diff", stumbling(diff, _of_objects))
    now = placements[0].tenant.created_at
    histories = load_current([placement.tenant_id for placement in placements], now)
    limits = {pk: effective_limits(history, now) for pk, history in histories.items()}
    result = plan_changes(limits_by_tenant=limits, placements=placements)
    assert result.unobserved == {placements[1].pk: SENTENCE}
    assert set(result.plans) == {placements[0].pk, placements[2].pk}
    assert result.failures == {}


def test_what_a_sweep_cannot_read_is_kept_until_it_can(
    plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    placement = _settled(plane, 1)[0]
    problem = Unreadable("Workflow", "t0", "odd", "spec.templates[0] is a text, not an object")
    observe = plane.observe
    met = [problem]

    def observed(**kwargs: Any) -> Observation:
        there = observe(**kwargs)
        return Observation(there.placements, there.reads, unreadable=tuple(met))

    monkeypatch.setattr(plane, "observe", observed)
    sweep(placement.target_id, force=True)
    (row,) = UnreadableObject.objects.all()
    assert row.value() == Unreadable(
        "Workflow", "t0", "odd", "spec.templates[0] is a text, not an object", "t0"
    )
    assert row.target == Target.objects.get()
    met.clear()
    sweep(placement.target_id, force=True)
    assert not UnreadableObject.objects.exists()
