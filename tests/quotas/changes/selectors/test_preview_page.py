"""The preview as its page shows it: the sentence, the order, the pages of objects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotas.changes.contracts import LimitChange, ObjectChange, OverLimit, Preview, TargetCost
from quotas.changes.selectors.preview_page import objects_page, preview_page, sentence
from quotas.enforcement.ports import Change, ObjectRef, Operation

EMPTY = Preview(
    title="Something", at="2026-11-22T12:00:00+00:00", tenants=1, placements=0, limits=(),
    settings=(), over_limit=(), shadowed=(), shadowed_total=0, shadowed_tenants=0, objects=(),
    objects_total=0, creates=0, updates=0, deletes=0, blocked=(), costs=(), calls=0, seconds=0.0,
    reads=0, warnings=(), confirm="", fingerprint="", base={},
)  # fmt: skip
PODS = LimitChange(
    key="pods", label="pods", before=2, after=5, before_text="2", after_text="5", tenants=1
)
WRITES = TargetCost(target="lab", kind="kubernetes", placements=3, objects=3, calls=3, seconds=0.0)


def over_limit(tenant: str) -> OverLimit:
    return OverLimit(
        tenant=tenant, target="lab", location=tenant, key="pods", label="pods", used=6, limit=5,
        used_text="6", limit_text="5", effect="They go on",
    )  # fmt: skip


def test_pages_of_objects_end_where_there_are_no_more() -> None:
    change = Change(Operation.CREATE, ObjectRef("ResourceQuota", "acme", "headroom"))
    objects = tuple(
        ObjectChange(number, f"t{number % 2}", "lab", "acme", change) for number in range(120)
    )
    preview = replace(EMPTY, objects=objects, objects_total=5120)
    first = objects_page(preview, tenant="", target="", number=1)
    assert (first.first, first.last, first.previous, first.next, first.unlisted) == (
        1, 50, 0, 2, 5000,
    )  # fmt: skip
    last = objects_page(preview, tenant="t1", target="lab", number=99)
    assert (last.first, last.last, last.total, last.previous, last.next) == (51, 60, 60, 1, 0)
    assert first.tenants == [("t0", 60), ("t1", 60)]


def test_a_draft_whose_preview_is_still_computed_has_no_objects() -> None:
    page = objects_page(None, tenant="", target="", number=1)
    assert (list(page.rows), page.total, page.first, page.unlisted) == ([], 0, 0, 0)


@pytest.mark.parametrize(
    ("preview", "expected"),
    [
        (EMPTY, "1 tenant, nothing to write on any target."),
        (
            replace(EMPTY, tenants=2, objects_total=3, deletes=3, costs=(WRITES,)),
            "2 tenants, 3 objects deleted on 1 target.",
        ),
        (
            replace(
                EMPTY, tenants=1200, objects_total=2400, costs=(WRITES, WRITES),
                over_limit=(over_limit("a"), over_limit("a"), over_limit("b")),
            ),
            "1,200 tenants, 2,400 objects on 2 targets; 2 already use more than the new limits.",
        ),
        (
            replace(EMPTY, tenants=2, objects_total=3, deletes=1, costs=(WRITES,)),
            "2 tenants, 3 objects on 1 target (1 deleted).",
        ),
        (replace(EMPTY, limits=(PODS,)), "1 tenant, nothing to write on any target."),
        (
            replace(EMPTY, limits=(replace(PODS, after=1),)),
            "1 tenant, nothing to write on any target; no tenant uses more than the new limits.",
        ),
    ],
)  # fmt: skip
def test_the_sentence_says_it_all(preview: Preview, expected: str) -> None:
    assert sentence(preview) == expected


@pytest.mark.parametrize(
    ("before", "after", "texts", "direction"),
    [
        (10, 5, ("10", "5"), "lowered"),
        (5, 10, ("5", "10"), "raised"),
        (5, None, ("5", "∞"), "raised"),
        (None, 5, ("∞", "5"), "lowered"),
        (None, 0, ("not set", "0"), "added"),
        (0, None, ("0", "not set"), "removed"),
        (0, 1, ("0", "1"), "raised"),
    ],
)
def test_zero_unlimited_and_unset_are_told_apart(
    before: int | None, after: int | None, texts: tuple[str, str], direction: str
) -> None:
    limit = replace(PODS, before=before, after=after, before_text=texts[0], after_text=texts[1])
    page = preview_page(replace(EMPTY, limits=(limit,)))
    assert page.limits[0].direction == direction
