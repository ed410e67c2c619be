"""Memory that is of no use between two large pieces of work."""

from __future__ import annotations

from django.db import connection

from console import linux


def give_back_memory() -> None:
    """For a process that keeps its connections, after something large: gives the pages that SQLite
    holds for this thread and what is free in glibc's heaps back to the system. Never within a
    transaction."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA shrink_memory")
    linux.give_back_memory()
