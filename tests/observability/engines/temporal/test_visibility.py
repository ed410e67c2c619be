"""Windows of time and the cursor: bounded pages, oldest first, nothing lost, nothing doubled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.clients.temporal.history_reader import HistoryReader
from console.clients.temporal.records import VisibilityPage, VisibilityRow
from observability.engines.temporal import cursor, visibility
from observability.engines.temporal.cursor import BEGINNING, Cursor, read
from observability.engines.temporal.visibility import visibility_pages

END = datetime(2026, 11, 22, tzinfo=UTC)
_BOUND = re.compile(r"CloseTime (>=|<) '([^']+)'")


def row(number: int, closed_at: datetime) -> VisibilityRow:
    return VisibilityRow(
        workflow_id=f"w{number}",
        run_id=f"r{number}",
        type="Flow",
        queue="q",
        status="completed",
        created_at=closed_at,
        due_at=None,
        closed_at=closed_at,
        history_length=3,
        history_size=100,
        transitions=2,
        first_run_id="",
    )


@dataclass
class Visibility:
    """Answers the queries of windows as the server does: newest first, in pages."""

    rows_there: list[VisibilityRow]
    page_sizes: list[int] = field(default_factory=list)
    counted: int = 0

    def _matching(self, query: str) -> list[VisibilityRow]:
        rows = self.rows_there
        for sign, bound in _BOUND.findall(query):
            moment = datetime.fromisoformat(bound)
            rows = [item for item in rows if (_closed(item) >= moment) == (sign == ">=")]
        return sorted(rows, key=_closed, reverse=True)

    def count(self, query: str) -> int:
        self.counted += 1
        return len(self._matching(query))

    def rows(self, query: str, *, size: int, token: bytes = b"") -> VisibilityPage:
        start = int(token or b"0")
        rows = self._matching(query)
        page = rows[start : start + size]
        more = start + size < len(rows)
        self.page_sizes.append(len(page))
        return VisibilityPage(tuple(page), str(start + size).encode() if more else b"")


def _closed(item: VisibilityRow) -> datetime:
    assert item.closed_at is not None
    return item.closed_at


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visibility, "FULL", 5)
    monkeypatch.setattr(cursor, "FULL", 5)


def walk(there: Visibility, begin: datetime = BEGINNING) -> list[visibility.VisibilityWindow]:
    reader = cast("HistoryReader", there)
    return list(visibility_pages(reader, "CloseTime IS NOT NULL", "CloseTime", begin, END))


ages = st.lists(
    st.one_of(st.integers(-5, 120), st.integers(0, 86_400 * 900), st.sampled_from([7, 7000])),
    max_size=60,
)


@given(ages)
def test_every_run_is_found_once_wherever_in_time_it_lies(seconds: list[int]) -> None:
    there = Visibility([row(n, END - timedelta(seconds=age)) for n, age in enumerate(seconds)])
    run_ids = [item.run_id for portion in walk(there) for item in portion.rows]
    assert sorted(run_ids) == sorted(item.run_id for item in there.rows_there)
    assert max(there.page_sizes, default=0) <= 5


@given(ages)
def test_what_a_window_says_is_done_is_done(seconds: list[int]) -> None:
    there = Visibility([row(n, END - timedelta(seconds=age)) for n, age in enumerate(seconds)])
    run_ids: set[str] = set()
    ends: list[datetime] = []
    for portion in walk(there):
        run_ids |= {item.run_id for item in portion.rows}
        if portion.ends_at is not None:
            ends.append(portion.ends_at)
            before = {item.run_id for item in there.rows_there if _closed(item) < portion.ends_at}
            assert before <= run_ids
    assert ends == sorted(ends)
    assert ends[-1] == END


def test_years_without_runs_are_crossed_in_a_few_questions() -> None:
    there = Visibility([row(n, END - timedelta(days=2, seconds=n)) for n in range(40)])
    walk(there)
    assert there.counted < 80
    assert len(there.page_sizes) < 40


def test_the_last_microsecond_before_a_crowded_end_is_reached() -> None:
    """Half of a microsecond is nothing, and nothing added to a time leads nowhere."""
    begin = END - timedelta(days=1, microseconds=1)
    moments = [begin + timedelta(hours=1)] * 3 + [END - timedelta(microseconds=1)] * 3
    there = Visibility([row(number, moment) for number, moment in enumerate(moments)])
    reader = cast("HistoryReader", there)
    portions = visibility_pages(reader, "CloseTime IS NOT NULL", "CloseTime", begin, END)
    run_ids = [item.run_id for portion in islice(portions, 100) for item in portion.rows]
    assert sorted(run_ids) == [f"r{number}" for number in range(6)]


def test_many_runs_of_one_moment_are_read_page_by_page() -> None:
    there = Visibility([row(n, END - timedelta(days=1)) for n in range(23)])
    portions = [portion for portion in walk(there) if portion.rows]
    assert [len(portion.rows) for portion in portions] == [5, 5, 5, 5, 3]
    assert [portion.ends_at is None for portion in portions] == [True, True, True, True, False]


def test_a_cursor_survives_being_stored() -> None:
    kept = Cursor(closed=END, started=END - timedelta(days=1), current=True)
    assert read(kept.stored()) == kept
    assert kept.through() == END - timedelta(days=1)
    assert Cursor().through() is None


def test_a_cursor_never_goes_back() -> None:
    kept = Cursor(closed=END, started=END)
    assert kept.advanced("closed", END - timedelta(hours=1)) == kept


@pytest.mark.parametrize(
    "stored", [{}, {"closed": "yesterday"}, {"closed": 5}, {"turn": []}, {"started": None}]
)
def test_a_cursor_that_cannot_be_read_begins_anew(stored: Mapping[str, Any]) -> None:
    assert read(stored) == Cursor()
