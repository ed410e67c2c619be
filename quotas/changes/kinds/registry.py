"""The kinds of change that there are: every class of this package's modules, by name."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from console.access.contracts import Permission
from quotas.changes.kinds import adjustments, lifecycle, placements, plans, repairs
from quotas.changes.kinds.change import ProposedChange

MODULES: Final = (plans, adjustments, lifecycle, placements, repairs)


def _kinds_of(module: ModuleType) -> dict[str, type[ProposedChange]]:
    return {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, ProposedChange)
        and kind.__module__ == module.__name__
    }


KINDS: Final = {name: kind for module in MODULES for name, kind in _kinds_of(module).items()}


def permission_for(kind: str) -> Permission:
    """What somebody needs who proposes, applies or discards a change of this kind."""
    return KINDS.get(kind, ProposedChange).permission
