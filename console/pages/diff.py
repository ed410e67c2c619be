"""What changed between two plain values, field by field. Pure; pages and the ledger show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One field. `kind` is added, removed or changed; `path` is dotted, empty for the whole."""

    path: str
    kind: str
    before: Any = None
    after: Any = None


def field_changes(before: Any, after: Any) -> list[ValueChange]:
    """Compares two JSON-like values; mappings are compared key by key, all else as one value."""
    return list(_compare("", before, after))


def _compare(path: str, before: Any, after: Any) -> Iterator[ValueChange]:
    if before == after:
        return
    if isinstance(before, Mapping | None) and isinstance(after, Mapping | None):
        yield from _compare_mappings(path, before or {}, after or {})
    else:
        yield ValueChange(path, "changed", before, after)


def _compare_mappings(
    path: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[ValueChange]:
    for key in sorted({*before, *after}):
        inner = f"{path}.{key}" if path else key
        if key not in before:
            yield ValueChange(inner, "added", after=after[key])
        elif key not in after:
            yield ValueChange(inner, "removed", before=before[key])
        else:
            yield from _compare(inner, before[key], after[key])
