"""Retention as a whole: every function that RETENTION names runs, whatever becomes of another."""

from __future__ import annotations

from datetime import datetime

import pytest
from pytest_django import Settings

from console import tasks

pytestmark = pytest.mark.django_db
HERE = "tests.console.test_tasks"
turns: list[datetime] = []


def counted(now: datetime, until: float) -> int:
    """Counts its turns."""
    turns.append(now)
    return 7


def fails(now: datetime, until: float) -> int:
    """Has a bug."""
    raise ValueError("a bug")


def test_everything_that_is_named_is_there_and_has_nothing_to_do_in_an_empty_database(
    settings: Settings,
) -> None:
    removed = tasks.apply_retention()
    assert removed == dict.fromkeys(settings.RETENTION, 0)
    assert {"sessions", "rollouts", "proposals", "actions", "replays"} <= removed.keys()


def test_it_is_a_round_of_the_scheduler(settings: Settings) -> None:
    assert settings.CELERY_BEAT_SCHEDULE["retention"]["task"] == tasks.apply_retention.name


def test_one_that_fails_keeps_no_other_from_its_turn_and_is_not_hidden(settings: Settings) -> None:
    turns.clear()
    settings.RETENTION = {"first": f"{HERE}.fails", "second": f"{HERE}.counted"}
    with pytest.raises(ValueError, match="a bug"):
        tasks.apply_retention()
    assert len(turns) == 1
