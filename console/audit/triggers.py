"""What makes the database itself keep the ledger append-only: triggers; whether they are there.

No row is changed, deleted or replaced, none gets an id that was given before or is out of order,
and none is dated back: at most an hour before the newest entry or, where a clock was fast once,
before the database's own clock. Writers on several machines differ by less.

The statements are those of the newest migration. One that changes them installs them anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_SQLITE: Final = {
    "audit_entry_refuse_update": """
        CREATE TRIGGER audit_entry_refuse_update BEFORE UPDATE ON audit_entry
        BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END""",
    "audit_entry_refuse_delete": """
        CREATE TRIGGER audit_entry_refuse_delete BEFORE DELETE ON audit_entry
        BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END""",
    "audit_entry_refuse_insert": """
        CREATE TRIGGER audit_entry_refuse_insert BEFORE INSERT ON audit_entry
        BEGIN
            SELECT RAISE(ABORT, 'audit entries are never replaced')
            WHERE EXISTS (SELECT 1 FROM audit_entry WHERE id = NEW.id);
            SELECT RAISE(ABORT, 'audit entries are never dated back')
            WHERE datetime(NEW.at) IS NULL OR datetime(NEW.at) < min(
                (SELECT datetime(max(at), '-1 hour') FROM audit_entry), datetime('now', '-1 hour')
            );
        END""",
    # Only now is it known which id a row without one got.
    "audit_entry_refuse_disorder": """
        CREATE TRIGGER audit_entry_refuse_disorder AFTER INSERT ON audit_entry
        WHEN NEW.id < 1 OR EXISTS (SELECT 1 FROM audit_entry WHERE id > NEW.id)
        BEGIN SELECT RAISE(ABORT, 'audit entries are never inserted out of order'); END""",
}
_FUNCTION_OF_CHANGE: Final = """
    BEGIN
        RAISE EXCEPTION 'audit entries are never changed or deleted (%)', TG_OP
            USING ERRCODE = 'integrity_constraint_violation';
    END """
# The id of a row that was inserted as rows are is the one that the sequence gave just now. Ids of
# other transactions, which may be greater, say nothing.
_FUNCTION_OF_INSERT: Final = """
    DECLARE newest timestamptz := (SELECT max(at) FROM audit_entry);
    BEGIN
        IF NEW.id <> currval(pg_get_serial_sequence('audit_entry', 'id')) THEN
            RAISE EXCEPTION 'audit entries are never inserted out of order (%)', NEW.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF newest IS NOT NULL
            AND NEW.at < least(newest, clock_timestamp()) - interval '1 hour' THEN
            RAISE EXCEPTION 'audit entries are never dated back (%)', NEW.at
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END """

_FUNCTIONS: Final = {
    "audit_entry_refuse": _FUNCTION_OF_CHANGE,
    "audit_entry_refuse_disorder": _FUNCTION_OF_INSERT,
}
_POSTGRESQL: Final = {
    "audit_entry_refuse_change": "BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW "
    "EXECUTE FUNCTION audit_entry_refuse()",
    "audit_entry_refuse_truncate": "BEFORE TRUNCATE ON audit_entry FOR EACH STATEMENT "
    "EXECUTE FUNCTION audit_entry_refuse()",
    "audit_entry_refuse_insert": "BEFORE INSERT ON audit_entry FOR EACH ROW "
    "EXECUTE FUNCTION audit_entry_refuse_disorder()",
}


def install(connection: BaseDatabaseWrapper) -> None:
    """Makes every trigger anew, whichever were there. KeyError on another kind of database."""
    remove(connection)
    with connection.cursor() as cursor:
        for statement in _INSTALLING[connection.vendor]:
            cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Takes every trigger away."""
    with connection.cursor() as cursor:
        for statement in _REMOVING[connection.vendor]:
            cursor.execute(statement)


def missing(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """The names of triggers that are not there, not as they should be, or switched off, in one
    query; all of them where there is no table."""
    connection = connections[using]
    wanted, query = _WANTED[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(query)
        installed = {name: _plain(text) for name, text in cursor.fetchall()}
    return sorted(name for name, text in wanted.items() if installed.get(name) != _plain(text))


def _plain(sql: str) -> str:
    return re.sub(r"\s+", " ", sql or "").strip()


_POSTGRESQL_FIRST: Final = tuple(
    f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"
    for name, body in _FUNCTIONS.items()
)
# ALWAYS: also where a session says that it only replicates.
_POSTGRESQL_THEN: Final = tuple(
    statement
    for name, rest in _POSTGRESQL.items()
    for statement in (
        f"CREATE TRIGGER {name} {rest}",
        f"ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER {name}",
    )
)
_INSTALLING: Final[Mapping[str, Sequence[str]]] = {
    "sqlite": tuple(_SQLITE.values()),
    "postgresql": (*_POSTGRESQL_FIRST, *_POSTGRESQL_THEN),
}
_REMOVING: Final[Mapping[str, Sequence[str]]] = {
    "sqlite": tuple(f"DROP TRIGGER IF EXISTS {name}" for name in _SQLITE),
    "postgresql": (
        *(f"DROP TRIGGER IF EXISTS {name} ON audit_entry" for name in _POSTGRESQL),
        *(f"DROP FUNCTION IF EXISTS {name}()" for name in _FUNCTIONS),
    ),
}
_WANTED: Final[Mapping[str, tuple[Mapping[str, str], str]]] = {
    "sqlite": (
        _SQLITE,
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entry'",
    ),
    # Of a trigger that is switched on: what its function does.
    "postgresql": (
        {
            "audit_entry_refuse_change": _FUNCTION_OF_CHANGE,
            "audit_entry_refuse_truncate": _FUNCTION_OF_CHANGE,
            "audit_entry_refuse_insert": _FUNCTION_OF_INSERT,
        },
        "SELECT tgname, prosrc FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
        "WHERE tgrelid = to_regclass('audit_entry') AND tgenabled IN ('O', 'A')",
    ),
}
