"""Memory of processes without a user: what SQLite and glibc hold between two pieces of work."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from console import linux

_SMALL: Final = ("PRAGMA mmap_size=0", "PRAGMA cache_size=-8192")
"""8 MiB a connection. A loop reads everything once; the system's own cache is for the rest."""


def keep_little() -> None:
    """For a worker or a reader: its connections to SQLite from here on keep few pages of the file.
    A web server, which answers the same questions again and again, keeps more (see settings)."""
    connection_created.connect(_shrink, dispatch_uid="console.database.memory")


def _shrink(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for pragma in _SMALL:
                cursor.execute(pragma)


def give_back_memory() -> None:
    """For a process that keeps its connections, after something large: gives the pages that SQLite
    holds for this thread and what is free in glibc's heaps back to the system. Never within a
    transaction."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA shrink_memory")
    linux.give_back_memory()
