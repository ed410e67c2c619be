"""The database refuses to replace entries as well, and to insert them out of order or dated back."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from console.audit import triggers


def install(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """All triggers, those of the migration before this one as well."""
    triggers.install(editor.connection)


class Migration(migrations.Migration):
    """After the triggers that refuse changes. Going back leaves the stricter ones in place."""

    dependencies: ClassVar = [("audit", "0002_refuse_update_and_delete")]
    operations: ClassVar = [migrations.RunPython(install, migrations.RunPython.noop)]
