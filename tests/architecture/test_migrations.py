"""Migrations: a person can read what each is about, and can take each one back."""

from __future__ import annotations

import re

from django.apps import apps
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

OURS = ("console", "tenants", "quotas", "observability")
NAME = re.compile(r"\d{4}_[a-z][a-z0-9]*(_[a-z0-9]+)*")
ONE_WAY: dict[str, str] = {}
"""Migrations that cannot be taken back, as app/name, and why."""


def ours() -> dict[str, Migration]:
    """Every migration of Headroom's own apps, as app/name."""
    labels = {
        config.label for config in apps.get_app_configs() if config.name.split(".")[0] in OURS
    }
    loader = MigrationLoader(None)
    assert loader.disk_migrations is not None
    return {
        f"{label}/{name}": migration
        for (label, name), migration in loader.disk_migrations.items()
        if label in labels
    }


def test_there_are_migrations_to_look_at() -> None:
    assert {name.partition("/")[0] for name in ours()} >= {"tenants", "plans", "enforcement"}


def test_every_migration_has_a_name_that_says_something() -> None:
    unnamed = [
        name for name in ours() if "_auto_" in name or not NAME.fullmatch(name.partition("/")[2])
    ]
    assert unnamed == []


def test_every_migration_can_be_taken_back_or_says_why_not() -> None:
    one_way = {
        name
        for name, migration in ours().items()
        if not all(operation.reversible for operation in migration.operations)
    }
    assert one_way == set(ONE_WAY)
    assert all(ONE_WAY.values())


def test_the_numbers_of_an_app_are_a_line_without_gaps() -> None:
    numbers: dict[str, list[int]] = {}
    for name in ours():
        label, _, rest = name.partition("/")
        numbers.setdefault(label, []).append(int(rest[:4]))
    assert {label: sorted(prefixes) for label, prefixes in numbers.items()} == {
        label: list(range(1, len(prefixes) + 1)) for label, prefixes in numbers.items()
    }
