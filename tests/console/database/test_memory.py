"""Keeping little memory, and giving it back."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.backends.signals import connection_created
from django.db.utils import ConnectionHandler

from console.access.models import User
from console.database import memory
from console.database.memory import give_back_memory


@pytest.mark.django_db(transaction=True)
def test_what_was_written_is_there_afterwards() -> None:
    User.objects.bulk_create(User(username=f"u{number}") for number in range(500))
    give_back_memory()
    assert User.objects.count() == 500
    assert connection.connection is not None


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_nothing_is_lost() -> None:
    with transaction.atomic():
        User.objects.create(username="ada")
        give_back_memory()
    assert User.objects.count() == 1


def pragmas(path: Path) -> list[int]:
    """What a new connection to a file keeps: its cache (negative: KiB) and its mapping in bytes."""
    file = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
    wrapper = ConnectionHandler({"default": file})["default"]
    try:
        with wrapper.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
            return [
                cursor.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("cache_size", "mmap_size")
            ]
    finally:
        wrapper.close()


@pytest.mark.django_db  # of another file, but a database
def test_the_connections_of_a_loop_keep_few_pages_of_the_file(tmp_path: Path) -> None:
    memory.keep_little()
    try:
        assert pragmas(tmp_path / "file") == [-8192, 0]
    finally:
        connection_created.disconnect(dispatch_uid="console.database.memory")
    assert pragmas(tmp_path / "file") != [-8192, 0]
