"""While the scheduler is away, another process wakes the workers in its place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.celery import app
from console.loops.contracts import BEAT
from console.loops.stand_in import StandIn
from tests.console.loops.rows import all_run, stopped

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What was sent: tasks, and after how many seconds they are worthless."""
    tasks: list[tuple[str, Any]] = []

    def remember(name: str, **options: Any) -> None:
        tasks.append((name, options["expires"]))

    monkeypatch.setattr(app, "send_task", remember)
    return tasks


def test_nothing_is_sent_while_the_scheduler_runs(sent: list[Any]) -> None:
    all_run()
    stopped("tick", "usage")
    assert StandIn().wake(timezone.now()) == []
    assert sent == []


def test_every_round_that_is_due_is_sent_as_the_scheduler_would_have(sent: list[Any]) -> None:
    all_run()
    stopped(BEAT, "tick", "actions", minutes=1)
    assert StandIn().wake(timezone.now()) == ["tick", "actions"]
    assert sent == [
        ("quotas.enforcement.tasks.tick", 10),
        ("observability.actions.tasks.tick", 15),
    ]


def test_a_round_is_sent_no_more_often_than_it_is_due(sent: list[Any]) -> None:
    all_run()
    stopped(BEAT, "tick")
    stand_in, now = StandIn(), timezone.now()
    stand_in.wake(now)
    stand_in.wake(now + timedelta(seconds=1))
    assert len(sent) == 1


def test_without_any_scheduler_ever_everything_is_sent(sent: list[Any]) -> None:
    assert "tick" in StandIn().wake(timezone.now())
