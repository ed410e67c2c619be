"""Who may make which change. Pure: the words of roles are the frame's."""

from __future__ import annotations

from typing import Final

from quotas.changes import contracts as c

FOR_OPERATORS: Final = frozenset(
    kind.__name__ for kind in (c.GrantLease, c.EndLease, c.Suspend, c.Resume, c.Repair, c.TakeOver)
)
"""Kinds that keep the service running; all others change what was agreed and are for admins."""


def is_for_operators(kind: str) -> bool:
    """True when an operator may propose and apply changes of this kind."""
    return kind in FOR_OPERATORS
