"""The preview as its page shows it: the sentence, the order, the pages of objects."""

from __future__ import annotations

from typing import Any

import pytest

from quotas.changes.models import Proposal
from quotas.changes.selectors.preview_page import objects_page, preview_page, sentence

RAISED = {"before": 2, "before_text": "2", "after_text": "5"}


def test_pages_of_objects_end_where_there_are_no_more(db: None) -> None:
    objects = [{"tenant": f"t{n % 2}", "target": "lab"} for n in range(120)]
    draft = Proposal(preview={"objects": objects, "objects_total": 5120})
    first = objects_page(draft, tenant="", target="", number=1)
    assert (first.first, first.last, first.previous, first.next, first.unlisted) == (
        1, 50, 0, 2, 5000,
    )  # fmt: skip
    last = objects_page(draft, tenant="t1", target="lab", number=99)
    assert (last.first, last.last, last.total, last.previous, last.next) == (51, 60, 60, 1, 0)
    assert first.tenants == [("t0", 60), ("t1", 60)]


@pytest.mark.parametrize(
    ("preview", "expected"),
    [
        (
            {"tenants": 1, "objects_total": 0},
            "1 tenant, nothing to write on any target.",
        ),
        (
            {"tenants": 2, "objects_total": 3, "deletes": 3, "costs": [{"objects": 3}]},
            "2 tenants, 3 objects deleted on 1 target.",
        ),
        (
            {
                "tenants": 1200, "objects_total": 2400, "costs": [{"objects": 9}, {"objects": 9}],
                "over_limit": [{"tenant": "a"}, {"tenant": "a"}, {"tenant": "b"}],
            },
            "1,200 tenants, 2,400 objects on 2 targets; 2 already use more than the new limits.",
        ),
        (
            {"tenants": 2, "objects_total": 3, "deletes": 1, "costs": [{"objects": 3}]},
            "2 tenants, 3 objects on 1 target (1 deleted).",
        ),
        (
            {"tenants": 1, "objects_total": 0, "limits": [{**RAISED, "after": 5}]},
            "1 tenant, nothing to write on any target.",
        ),
        (
            {"tenants": 1, "objects_total": 0, "limits": [{**RAISED, "after": 1}]},
            "1 tenant, nothing to write on any target; no tenant uses more than the new limits.",
        ),
    ],
)  # fmt: skip
def test_the_sentence_says_it_all(preview: dict[str, Any], expected: str) -> None:
    assert (
        sentence({"deletes": 0, "costs": [], "over_limit": [], "limits": [], **preview}) == expected
    )


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
    line = {
        "key": "pods", "label": "pods", "before": before, "after": after,
        "before_text": texts[0], "after_text": texts[1], "tenants": 1,
    }  # fmt: skip
    numbers = dict.fromkeys(
        ("tenants", "objects_total", "deletes", "creates", "updates", "calls", "shadowed_total",
         "shadowed_tenants"), 0,
    )  # fmt: skip
    lists: dict[str, Any] = {
        name: [] for name in ("over_limit", "costs", "settings", "shadowed", "blocked", "warnings")
    }
    rest = {"at": "2026-11-22T12:00:00+00:00", "confirm": "", "seconds": 0.0, "limits": [line]}
    page = preview_page(Proposal(preview={**numbers, **lists, **rest}))
    assert page is not None
    assert page.limits[0].direction == direction
