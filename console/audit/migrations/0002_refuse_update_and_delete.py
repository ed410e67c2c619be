"""The database itself keeps the ledger append-only: triggers refuse UPDATE, DELETE and TRUNCATE."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

_SQLITE = (
    """CREATE TRIGGER audit_entry_refuse_update BEFORE UPDATE ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END""",
    """CREATE TRIGGER audit_entry_refuse_delete BEFORE DELETE ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END""",
)
_SQLITE_UNDO = (
    "DROP TRIGGER IF EXISTS audit_entry_refuse_update",
    "DROP TRIGGER IF EXISTS audit_entry_refuse_delete",
)
_POSTGRESQL = (
    """CREATE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'audit entries are never changed or deleted (%)', TG_OP
            USING ERRCODE = 'integrity_constraint_violation';
    END $$""",
    """CREATE TRIGGER audit_entry_refuse_change BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_refuse()""",
    """CREATE TRIGGER audit_entry_refuse_truncate BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuse()""",
)
_POSTGRESQL_UNDO = (
    "DROP TRIGGER IF EXISTS audit_entry_refuse_change ON audit_entry",
    "DROP TRIGGER IF EXISTS audit_entry_refuse_truncate ON audit_entry",
    "DROP FUNCTION IF EXISTS audit_entry_refuse()",
)
_FORWARDS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
_BACKWARDS = {"sqlite": _SQLITE_UNDO, "postgresql": _POSTGRESQL_UNDO}


def forwards(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Adds the triggers of this database; another kind of database is refused by KeyError."""
    for statement in _FORWARDS[editor.connection.vendor]:
        editor.execute(statement, params=None)


def backwards(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Removes them."""
    for statement in _BACKWARDS[editor.connection.vendor]:
        editor.execute(statement, params=None)


class Migration(migrations.Migration):
    """After the table itself."""

    dependencies: ClassVar = [("audit", "0001_ledger")]
    operations: ClassVar = [migrations.RunPython(forwards, backwards)]
