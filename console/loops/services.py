"""A loop leaves its tick: one small write in ten seconds at most, whatever its pace."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, models
from django.utils import timezone

from console.loops.contracts import WRITE_SECONDS

log = structlog.get_logger(__name__)


def _ticks() -> models.Manager[Any]:
    # By name: Celery's application imports this before Django's models can be.
    manager: models.Manager[Any] = apps.get_model("loops", "LoopTick")._default_manager
    return manager


def _interruptions() -> models.Manager[Any]:
    manager: models.Manager[Any] = apps.get_model("loops", "Interruption")._default_manager
    return manager


def tick(name: str) -> None:
    """Notes that the loop has just done its round. Never fails because of that."""
    now = timezone.now()
    try:
        row = _ticks().filter(name=name)
        last = row.values_list("at", flat=True).first()
        if last is not None and timedelta(0) <= now - last < timedelta(seconds=WRITE_SECONDS):
            return
        if not row.update(at=now):
            _ticks().bulk_create(
                [_ticks().model(name=name, at=now, known_at=now)], ignore_conflicts=True
            )
    except DatabaseError as error:
        log.warning("tick.not_written", loop=name, error=str(error))
        _reconnect_next_time()


def expect(names: Iterable[str]) -> None:
    """Notes loops that should run from now on, where nobody knew of them."""
    now = timezone.now()
    _ticks().bulk_create(
        [_ticks().model(name=name, known_at=now) for name in names], ignore_conflicts=True
    )


def started(name: str) -> None:
    """Notes that a process has begun, unless it is the first of its name ever. Never fails because
    of that."""
    interrupted(name, unless_first=True)


def interrupted(name: str, *, unless_first: bool = False) -> None:
    """Notes that something was interrupted. Never fails because of that."""
    now = timezone.now()
    try:
        if not _interruptions().filter(name=name).update(at=now):
            row = _interruptions().model(name=name, at=None if unless_first else now)
            _interruptions().bulk_create([row], ignore_conflicts=True)
    except DatabaseError as error:
        log.warning("interruption.not_written", name=name, error=str(error))
        _reconnect_next_time()


def tick_of_task(task: str) -> None:
    """The tick of the loop whose round that task is; nothing for other tasks."""
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        if entry["task"] == task:
            tick(name)


def _reconnect_next_time() -> None:
    if not connection.in_atomic_block:
        connection.close()
