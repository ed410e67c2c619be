"""Whether a run's target is a stand-in is the target's to say, by its version.

Taking this back adds a column, for which Django rebuilds the table on SQLite; the triggers of the
search index are lost by that, and made again.
"""

import importlib
from typing import ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def index_again(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """The search index and its triggers on SQLite; PostgreSQL keeps its own."""
    if editor.connection.vendor == "sqlite":
        importlib.import_module("observability.jobs.migrations.0003_search").forwards(apps, editor)


class Migration(migrations.Migration):
    """In reverse, the index is made after the column."""

    dependencies: ClassVar = [("jobs", "0005_archives_do_not_expire")]
    operations: ClassVar = [
        migrations.RunPython(migrations.RunPython.noop, index_again),
        migrations.RemoveField(model_name="jobrun", name="emulated"),
    ]
