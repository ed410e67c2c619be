"""The database itself keeps the ledger append-only."""

import pytest
from django.db import DatabaseError, connection, transaction

from console.audit.models import Entry
from console.audit.services import Actor, build, record, record_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry() -> Entry:
    return record(
        actor=Actor.loop("sweep"),
        action="drift.repair",
        object_type="tenant",
        object_id=1,
        object_label="acme",
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET reason = 'nothing happened'",
        "UPDATE audit_entry SET outcome = 'done' WHERE id = %s",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_entry WHERE id = %s",
    ],
)
def test_raw_sql_cannot_change_or_delete_an_entry(entry: Entry, statement: str) -> None:
    parameters = [entry.pk] if "%s" in statement else []
    with (
        pytest.raises(DatabaseError, match="never"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, parameters)
    kept = Entry.objects.get()
    assert (kept.pk, kept.reason) == (entry.pk, "")


@pytest.mark.postgres
def test_truncate_is_refused(entry: Entry) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    with (
        pytest.raises(DatabaseError, match="never"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("TRUNCATE audit_entry")
    assert Entry.objects.count() == 1


def test_the_model_refuses_as_well(entry: Entry) -> None:
    entry.reason = "other"
    with pytest.raises(TypeError, match="never changed"):
        entry.save()
    with pytest.raises(TypeError, match="never deleted"):
        entry.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        Entry.objects.update(reason="other")
    with pytest.raises(DatabaseError), transaction.atomic():
        Entry.objects.all().delete()


def test_many_entries_are_written_at_once() -> None:
    record_all(
        [
            build(
                actor=Actor.command("seed"),
                action="tenant.create",
                object_type="tenant",
                object_id=number,
                object_label="x" * 300,
            )
            for number in range(3)
        ]
    )
    assert Entry.objects.count() == 3
    assert {len(entry.object_label) for entry in Entry.objects.all()} == {255}
