"""The loop's decisions as pure functions."""

from __future__ import annotations

import pytest

from quotas.enforcement import rules
from quotas.enforcement.diff import changes_json
from quotas.enforcement.ports import (
    Change,
    FieldChange,
    ObjectRef,
    Observed,
    ObservedObject,
    Operation,
    Owner,
)

REF = ObjectRef("Quota", "acme", "headroom")
OTHER = ObjectRef("Range", "acme", "headroom")
EDIT = Owner("kubectl-edit", declarative=False)
FLUX = Owner("flux", declarative=True)


def update(ref: ObjectRef = REF, owner: Owner | None = None) -> Change:
    return Change(Operation.UPDATE, ref, (FieldChange("hard[pods]", "9", "10", "pods", owner),))


@pytest.mark.parametrize(
    ("owner", "force", "over_edits", "free", "forced"),
    [
        (None, False, False, True, False),
        (EDIT, False, False, False, False),
        (EDIT, False, True, True, True),
        (FLUX, False, True, False, False),
        (FLUX, True, False, True, True),
    ],
)
def test_whose_field_it_is_decides_whether_it_may_be_written(
    owner: Owner | None, force: bool, over_edits: bool, free: bool, forced: bool
) -> None:
    leave = rules.split_by_owner((update(owner=owner),), Observed(), force=force,
                                 over_edits=over_edits)  # fmt: skip
    assert (bool(leave.changes), bool(leave.blocked), leave.force) == (free, not free, forced)


def test_what_nobody_else_holds_is_written_beside_a_conflict() -> None:
    leave = rules.split_by_owner(
        (update(owner=FLUX), update(OTHER)), Observed(), force=False, over_edits=True
    )
    assert [change.ref for change in leave.changes] == [OTHER]
    assert leave.owners == {"hard[pods]": "flux"}


def test_nothing_is_written_into_a_place_that_is_not_ours() -> None:
    observed = Observed((ObservedObject(REF, {}, ours=False),))
    leave = rules.split_by_owner((update(), update(OTHER)), observed, force=False, over_edits=True)
    assert leave.changes == ()
    assert leave.owners == {str(REF): rules.NOBODY}


@pytest.mark.parametrize(
    ("used", "enforced", "full"),
    [(5, 10, 0.5), (12, 10, 1.2), (0, 0, None), (1, 0, rules.OVERFULL), (5, None, None),
     (None, 10, None)],
)  # fmt: skip
def test_fullness_is_unknown_where_use_or_limit_is(
    used: int | None, enforced: int | None, full: float | None
) -> None:
    assert rules.fullness({"used": used, "enforced": enforced}) == full


def test_a_limit_that_nobody_has_seen_is_not_full() -> None:
    assert rules.fullness({"used": 5}) is None


def _field(before: str, after: str, owner: Owner | None = None) -> FieldChange:
    return FieldChange("spec.hard[pods]", before, after, "pods", owner)


@pytest.mark.parametrize(
    ("kind", "operation", "field", "name"),
    [
        ("kubernetes", Operation.UPDATE, _field("10", "100", EDIT), "kubectl-edit"),
        ("kubernetes", Operation.UPDATE, _field("10", "100"), "the cluster itself"),
        ("argo", Operation.UPDATE, _field("10", "100"), "the cluster itself"),
        ("kubernetes", Operation.UPDATE, _field("3", ""), "the cluster itself"),
        # Who takes something away is written nowhere.
        ("kubernetes", Operation.UPDATE, _field("", "100"), ""),
        ("kubernetes", Operation.CREATE, _field("", "100"), ""),
        ("temporal", Operation.UPDATE, _field("10", "100"), ""),
    ],
)
def test_who_made_a_difference_is_the_owner_or_the_cluster_itself(
    kind: str, operation: Operation, field: FieldChange, name: str
) -> None:
    assert rules.changed_by(kind, [Change(operation, REF, (field,))]) == name


def test_what_came_out_otherwise_is_told_field_by_field() -> None:
    fields = (_field("10", "100"), _field("3", ""), _field("", "5"))
    left = [Change(Operation.UPDATE, REF, fields)]
    assert rules.altered_text("kubernetes", left, ["MutatingAdmissionPolicy cap"]) == (
        "Quota acme/headroom: spec.hard[pods] 100 was sent, the cluster changed it to 10 on the"
        " way in; spec.hard[pods] was not sent, the cluster added 3 on the way in; spec.hard[pods]"
        " 5 was sent, the cluster removed it on the way in. A mutating admission policy or webhook"
        " of the cluster does that (there are MutatingAdmissionPolicy cap); once it lets the value"
        " through, Repair sends it again."
    )
    assert rules.altered_text("temporal", [Change(Operation.UPDATE, REF, fields[:1])]) == (
        "Quota acme/headroom: spec.hard[pods] 100 was sent, the target changed it to 10 on the way"
        " in."
    )


def test_a_field_is_recognised_when_it_is_taken_back_again() -> None:
    first = changes_json([update(owner=EDIT)])
    again = changes_json([update(owner=FLUX)])
    assert rules.touched_fields(first) == rules.touched_fields(again) == {f"{REF} hard[pods]"}
    gone = changes_json([Change(Operation.CREATE, REF)])
    assert rules.touched_fields(gone) == {f"{REF} create"}


@pytest.mark.parametrize(
    ("key", "used", "ratio"),
    [
        ("temporal.queue_rate", 1_028, 1.0),
        ("temporal.queue_rate", 1_300, 1.3),
        ("temporal.queue_rate", 900, 0.9),
        ("requests.cpu", 1_028, 1.028),
    ],
)
def test_a_measured_rate_that_sways_about_its_limit_is_at_it(
    key: str, used: int, ratio: float
) -> None:
    row = {"used": used, "enforced": 1_000, "source": "lease"}
    (fullest,) = rules.tightest([("lab", "stark", {key: row})])
    assert (fullest["fullness"], fullest["source"]) == (ratio, "lease")
