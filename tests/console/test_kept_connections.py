"""What a worker keeps from task to task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import DatabaseError, connections
from django.db.backends.sqlite3.base import DatabaseWrapper

from console.celery import app
from console.kept_connections import KeepingFixup, KeepingWorker

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseWrapper]:
    """The only connection of this thread, to a database of its own, open."""
    settings = {
        **connections["default"].settings_dict,
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "kept.sqlite3"),
        "CONN_MAX_AGE": 600,
        "OPTIONS": {},
    }
    made = DatabaseWrapper(settings, "kept")
    monkeypatch.setattr(connections, "all", lambda **_: [made])
    made.connect()
    yield made
    made.close()


@pytest.fixture
def worker() -> KeepingWorker:
    fixups = vars(app)["_fixups"]
    assert len(fixups) == 1
    assert isinstance(fixups[0], KeepingFixup)
    return fixups[0].worker_fixup


def test_a_connection_outlives_the_task(connection: DatabaseWrapper, worker: KeepingWorker) -> None:
    before = connection.connection
    worker.close_database()
    assert connection.connection is before is not None


def test_one_that_had_an_error_and_is_broken_does_not(
    connection: DatabaseWrapper, worker: KeepingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    worker.close_database()
    assert connection.connection is None


def test_one_that_is_old_does_not(
    connection: DatabaseWrapper, worker: KeepingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "close_at", 0.0)
    worker.close_database()
    assert connection.connection is None
