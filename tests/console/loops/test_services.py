"""Loops leave their ticks cheaply, and never fail for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.loops import services
from console.loops.models import Interruption, LoopTick
from observability.jobs import tasks
from observability.replays.tasks import run_replay

pytestmark = pytest.mark.django_db


def writes(captured: CaptureQueriesContext) -> int:
    """How many statements changed something."""
    return sum(query["sql"].startswith(("UPDATE", "INSERT")) for query in captured.captured_queries)


def test_a_tick_every_second_is_written_once_in_ten_seconds() -> None:
    start = timezone.now()
    with CaptureQueriesContext(connection) as captured:
        for second in range(31):
            with time_machine.travel(start + timedelta(seconds=second), tick=False):
                services.tick("beat")
    assert writes(captured) == 5  # the first is an update of nothing, then the row
    assert LoopTick.objects.get().at == start + timedelta(seconds=30)


def test_a_clock_that_was_set_back_does_not_stop_the_ticks() -> None:
    LoopTick.objects.create(
        name="beat", at=timezone.now() + timedelta(hours=1), known_at=timezone.now()
    )
    services.tick("beat")
    assert LoopTick.objects.filter(at__lte=timezone.now()).exists()


def test_a_round_leaves_its_tick_when_it_is_done_and_none_when_it_fails() -> None:
    tasks.archive_due_documents.apply()
    assert list(LoopTick.objects.values_list("name", flat=True)) == ["job-archive"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("observability.jobs.tasks.apply", lambda **_: 1 / 0)
        assert tasks.apply_retention.apply().failed()
    assert not LoopTick.objects.filter(name="job-retention").exists()


def test_a_task_that_is_no_round_leaves_none() -> None:
    run_replay.apply(args=(404,))
    assert not LoopTick.objects.exists()


def test_a_database_that_is_away_breaks_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise DatabaseError("locked")

    monkeypatch.setattr(services, "_ticks", away)
    services.tick("beat")


def test_rounds_that_nobody_knew_of_are_expected_from_now_on() -> None:
    before = timezone.now()
    services.expect(["usage", "tick"])
    LoopTick.objects.update(at=before)
    services.expect(["usage", "tick", "newer"])
    assert dict(LoopTick.objects.values_list("name", "at")) == {
        "usage": before,
        "tick": before,
        "newer": None,
    }


def test_the_first_start_of_a_process_is_no_interruption_and_every_other_is() -> None:
    start = timezone.now()
    for minutes, expected in ((0, None), (1, 1), (5, 5)):
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            services.started("ingest")
        at = Interruption.objects.get(name="ingest").at
        assert at == (None if expected is None else start + timedelta(minutes=expected))


def test_a_broker_that_is_lost_for_the_first_time_is_an_interruption() -> None:
    services.interrupted("broker")
    assert Interruption.objects.get().at is not None


def test_a_database_that_is_away_keeps_no_process_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(services, "_interruptions", away)
    services.started("ingest")
    services.interrupted("broker")
