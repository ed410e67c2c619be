"""Old rows go in chunks, by key, until time is over."""

from __future__ import annotations

import math
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.database.pruning import prune, prune_of
from console.loops.models import LoopTick

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows() -> list[LoopTick]:
    """Twenty-five of them."""
    now = timezone.now()
    return LoopTick.objects.bulk_create(
        [LoopTick(name=f"row-{number:02}", known_at=now) for number in range(25)]
    )


def test_rows_go_in_chunks_and_only_those_that_were_meant(rows: list[LoopTick]) -> None:
    old = LoopTick.objects.filter(name__lt="row-22")
    with CaptureQueriesContext(connection) as captured:
        assert prune(old, until=math.inf, size=10) == 22
    statements = [query["sql"] for query in captured.captured_queries]
    assert sum(sql.startswith("DELETE") for sql in statements) == 3
    assert not [sql for sql in statements if "COUNT(" in sql]
    assert LoopTick.objects.count() == 3


def test_nothing_goes_when_the_time_is_over(rows: list[LoopTick]) -> None:
    assert prune(LoopTick.objects.all(), until=time.monotonic()) == 0
    assert LoopTick.objects.count() == 25


def test_what_belongs_to_a_chunk_goes_first(rows: list[LoopTick]) -> None:
    first = LoopTick.objects.filter(name="row-00")
    belongs = prune_of(LoopTick.objects.filter(name__gte="row-20"), "known_at")
    removed = prune(first, until=math.inf, before=lambda _: belongs([rows[0].known_at]))
    assert removed == 1
    assert LoopTick.objects.count() == 19
