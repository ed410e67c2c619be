"""Celery's scheduler leaves its own tick, whatever becomes of the tasks that it sends."""

from __future__ import annotations

from pathlib import Path

import pytest
from kombu.exceptions import OperationalError

from console.celery import app
from console.loops.models import LoopTick
from console.loops.scheduler import TickingScheduler


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TickingScheduler:
    """What beat runs; its broker is away."""

    def away(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(TickingScheduler, "send_task", away)
    return TickingScheduler(app=app, schedule_filename=str(tmp_path / "schedule"), lazy=False)


def test_it_is_what_beat_runs() -> None:
    assert app.conf.beat_scheduler == "console.loops.scheduler:TickingScheduler"


@pytest.mark.django_db
def test_the_first_round_says_that_it_runs_and_what_is_expected(
    scheduler: TickingScheduler,
) -> None:
    assert scheduler.tick() <= 10
    rows = dict(LoopTick.objects.values_list("name", "at"))
    assert rows.pop("beat") is not None
    assert rows == dict.fromkeys(app.conf.beat_schedule)
    scheduler.close()
