"""Who may make which change."""

from __future__ import annotations

from typing import Final

from console.access.contracts import Permission
from quotas.changes import contracts as c

FOR_OPERATORS: Final = frozenset(
    kind.__name__ for kind in (c.GrantLease, c.EndLease, c.Suspend, c.Resume, c.Repair, c.TakeOver)
)
"""Kinds that keep the service running; all others change what was agreed and are for admins."""


def permission_for(kind: str) -> Permission:
    """What somebody needs who proposes, applies or discards a change of this kind."""
    return Permission.OPERATE if kind in FOR_OPERATORS else Permission.ADMINISTER
