"""Whether the database still keeps the ledger append-only, as a system check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from console.audit import triggers

_INSTALLED_BY = ("audit", "0003_refuse_replace_disorder_and_back_dating")


def guarded(*, databases: Sequence[str] | None = None, **_: Any) -> Sequence[checks.CheckMessage]:
    """console.E010: triggers of the ledger that were taken away or changed. Before the migration
    that installs them, none can be missing. Asked with `manage.py check --database default`."""
    return [
        checks.Error(
            f"The ledger is not protected: {', '.join(gone)} missing, changed or switched off.",
            hint="Find out who did that and what they changed meanwhile. To have them made anew: "
            "manage.py migrate audit 0002 --skip-checks; manage.py migrate --skip-checks",
            id="console.E010",
        )
        for using in databases or ()
        if _INSTALLED_BY in MigrationRecorder(connections[using]).applied_migrations()
        if (gone := triggers.missing(using))
    ]
