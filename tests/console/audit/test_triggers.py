"""The database refuses what would rewrite the ledger, and it is seen when it does not any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client
from django.utils import timezone

from console.audit import triggers
from console.audit.models import Entry
from console.audit.services import Actor, build, record, record_all
from tests.faults.processes import manage

pytestmark = pytest.mark.django_db

COLUMNS = [field.column for field in Entry._meta.concrete_fields]


def entry(at: datetime | None = None, label: str = "acme") -> Entry:
    """One entry, as a loop of ours would write it."""
    return record(
        actor=Actor.loop("sweep"),
        action="drift.repair",
        object_type="tenant",
        object_id=1,
        object_label=label,
        at=at,
    )


def insert(verb: str = "INSERT", *, end: str = "", **values: Any) -> None:
    """A row as an attacker with a database shell would put it in, an entry's but for `values`."""
    like = Entry.objects.order_by("id").first()
    assert like is not None
    row = {column: getattr(like, column) for column in COLUMNS} | {"actor": "ATTACKER"} | values
    names = [name for name in row if name not in ("before", "after")]
    marks = ", ".join(["%s"] * len(names))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"{verb} INTO audit_entry ({', '.join(names)}) VALUES ({marks}) {end}",
            [row[name] for name in names],
        )


@pytest.fixture
def three() -> list[Entry]:
    """Three entries of now."""
    return [entry(label=f"entry-{number}") for number in range(3)]


def refused(act: Callable[[], object], match: str) -> None:
    """It is refused, and the ledger is as it was."""
    before = list(Entry.objects.order_by("id").values())
    with pytest.raises(DatabaseError, match=match):
        act()
    assert list(Entry.objects.order_by("id").values()) == before


REPLACING = [
    ("INSERT OR REPLACE", "", "sqlite"),
    ("REPLACE", "", "sqlite"),
    ("INSERT", "", "sqlite postgresql"),
    ("INSERT", "ON CONFLICT (id) DO UPDATE SET actor = 'ATTACKER'", "sqlite postgresql"),
]


@pytest.mark.parametrize(("verb", "end", "vendors"), REPLACING)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_an_entry_is_not_replaced(
    three: list[Entry], verb: str, end: str, vendors: str, which: int
) -> None:
    if connection.vendor not in vendors:
        pytest.skip("another database's statement")
    wanted = "never|duplicate key"
    refused(lambda: insert(verb, end=end, id=three[which].pk), wanted)


def test_what_does_nothing_on_a_conflict_does_nothing_worse(three: list[Entry]) -> None:
    """OR IGNORE passes over constraints, not over what a trigger raises."""
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's own statement")
    refused(lambda: insert("INSERT OR IGNORE", id=three[1].pk), "never")
    refused(lambda: insert("INSERT OR FAIL", id=three[1].pk), "never")


@pytest.mark.parametrize("number", [0, -1, -5, "between"])
def test_an_entry_is_not_inserted_out_of_order(three: list[Entry], number: Any) -> None:
    newest = three[-1].pk
    with connection.cursor() as cursor:  # as if one in between had been taken away
        triggers.remove(connection)
        cursor.execute("DELETE FROM audit_entry WHERE id = %s", [three[1].pk])
        triggers.install(connection)
    refused(lambda: insert(id=three[1].pk if number == "between" else number), "out of order")
    assert entry().pk > newest


@pytest.mark.parametrize("age", [timedelta(hours=2), timedelta(days=1), timedelta(days=2_500)])
def test_an_entry_is_not_dated_back(three: list[Entry], age: timedelta) -> None:
    at = timezone.now() - age
    row = build(
        actor=Actor.loop("x"), action="a", object_type="t", object_id=1, object_label="l", at=at
    )
    refused(lambda: _atomic(lambda: record_all([row])), "dated back")
    refused(lambda: _atomic(lambda: entry(at)), "dated back")


def _atomic(act: Callable[[], object]) -> None:
    with transaction.atomic():
        act()


@pytest.mark.parametrize("at", ["", "yesterday", "0", None])
def test_a_time_that_is_none_is_refused(three: list[Entry], at: Any) -> None:
    refused(
        lambda: insert(at=at, id=three[-1].pk + 1),
        "never|NOT NULL|invalid input|null value|out of range",
    )


def test_entries_of_writers_whose_clocks_differ_a_little_are_taken(three: list[Entry]) -> None:
    for minutes in (-50, 50, 0, -9, 3):
        entry(timezone.now() + timedelta(minutes=minutes))
    assert Entry.objects.count() == 8


def test_a_clock_that_was_fast_once_stops_nobody(three: list[Entry]) -> None:
    entry(timezone.now() + timedelta(days=400))
    entry()
    assert Entry.objects.count() == 5


def test_many_steps_back_lead_no_further_than_one(three: list[Entry]) -> None:
    newest = three[-1].at
    taken = 0
    for step in range(1, 9):
        try:
            with transaction.atomic():
                entry(newest - timedelta(minutes=50 * step))
                taken += 1
        except DatabaseError:
            break
    assert taken == 1


def test_a_ledger_begins_whenever_its_first_entry_was() -> None:
    with time_machine.travel(datetime(2020, 1, 1, tzinfo=UTC)):
        entry()
        entry()
    assert Entry.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_do_not_refuse_each_other() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time, and its tests one connection")

    def write(_: int) -> None:
        try:
            for _ in range(20):
                entry()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    assert Entry.objects.count() == 160


# -- whether they are there ------------------------------------------------------------------------

TAKING_AWAY = {
    "sqlite": [
        "DROP TRIGGER audit_entry_refuse_update",
        "DROP TRIGGER audit_entry_refuse_insert",
        "DROP TRIGGER audit_entry_refuse_disorder",
    ],
    "postgresql": [
        "DROP TRIGGER audit_entry_refuse_change ON audit_entry",
        "ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_refuse_insert",
        "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN NEW; END $$",
    ],
}


@pytest.mark.parametrize("number", range(4))
def test_a_trigger_that_is_gone_or_does_something_else_is_found(number: int) -> None:
    statements = TAKING_AWAY[connection.vendor]
    if number >= len(statements):
        pytest.skip("another database's statement")
    assert triggers.missing() == []
    call_command("check", databases=["default"])
    assert Client().get("/readyz").json()["checks"]["ledger"]["ok"] is True
    with connection.cursor() as cursor:
        cursor.execute(statements[number])
    assert triggers.missing()
    with pytest.raises(SystemCheckError, match=r"console.E010.*The ledger is not protected"):
        call_command("check", databases=["default"])
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert "ledger" in answer.json()["degraded"]
    triggers.install(connection)
    assert triggers.missing() == []


def test_one_of_the_same_name_that_does_nothing_is_found() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's functions are tried above")
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER audit_entry_refuse_delete")
        cursor.execute(
            "CREATE TRIGGER audit_entry_refuse_delete BEFORE DELETE ON audit_entry "
            "BEGIN SELECT 1; END"
        )
    assert triggers.missing() == ["audit_entry_refuse_delete"]


def test_on_a_file_a_stranger_s_connection_replaces_nothing_and_the_way_back_works(
    tmp_path: Path,
) -> None:
    """With SQLite's defaults, which are not ours; then as the check's hint says."""
    url = f"sqlite:///{tmp_path / 'h.sqlite3'}"
    assert manage("migrate", "--verbosity=0", DATABASE_URL=url).returncode == 0
    code = (
        "from console.audit.services import Actor, record;"
        "[record(actor=Actor.loop('x'), action='a', object_type='t', object_id=1,"
        " object_label='l') for _ in range(2)]"
    )
    assert manage("shell", "-c", code, DATABASE_URL=url).returncode == 0
    other = sqlite3.connect(tmp_path / "h.sqlite3")
    columns = ", ".join(name for name in COLUMNS if name not in ("id", "actor"))
    forge = f"REPLACE INTO audit_entry (id, actor, {columns}) "
    forge += f"SELECT id, 'ATTACKER', {columns} FROM audit_entry"  # noqa: S608 - our own columns
    with pytest.raises(sqlite3.IntegrityError, match="never replaced"):
        other.execute(forge)
    other.execute("DROP TRIGGER audit_entry_refuse_insert")
    other.execute("DROP TRIGGER audit_entry_refuse_delete")
    other.commit()
    other.close()
    words = ("check", "--database", "default")
    broken = manage(*words, DATABASE_URL=url)
    assert (broken.returncode, "console.E010" in broken.stderr) == (1, True)
    assert manage("migrate", "audit", "0002", "--skip-checks", DATABASE_URL=url).returncode == 0
    assert manage("migrate", "--skip-checks", DATABASE_URL=url).returncode == 0
    assert manage(*words, DATABASE_URL=url).returncode == 0
