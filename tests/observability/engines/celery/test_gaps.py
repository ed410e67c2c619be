"""What runs are told of a time of which events were lost."""

from __future__ import annotations

from datetime import timedelta

from observability.engines.celery.gaps import gap_notes, pages
from observability.engines.celery.runs import Fold
from observability.engines.contracts import TrailGap
from tests.observability.engines.celery.event_listener import NOW, Rows, event, received


def test_open_runs_are_told_of_a_gap_the_same_way_each_time() -> None:
    rows, fold = Rows(), Fold("sample")
    rows.store(fold.runs((received(1), event("task-started", 2)), rows))
    gap = TrailGap(NOW, NOW + timedelta(days=365), "we were away")
    for _ in range(2):
        for page in pages(gap_notes(rows.open_runs(), gap)):
            rows.store(page)
    assert rows.kinds("u1").count("gap") == 1
    assert rows.status("u1") == "running"
