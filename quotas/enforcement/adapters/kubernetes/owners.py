"""Who holds which field, from an object's managedFields. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.adapters.kubernetes.items import manager_of, plain, written_at
from quotas.enforcement.ports import Owner, Scalar

Entry = Mapping[str, Any]


def is_sole(entries: Sequence[Entry], *, us: str = names.FIELD_MANAGER) -> bool:
    """Whether nobody but us (and whoever writes the status) ever wrote the object: the usual case,
    told without a look at the fields. `us` is the field manager that we write as."""
    return all(_is_by(us, entry) or entry.get("subresource") == "status" for entry in entries)


def is_manager(entries: Iterable[Entry], *, us: str = names.FIELD_MANAGER) -> bool:
    """Whether we have applied the object and still own something in it."""
    return any(_is_by(us, entry) for entry in entries)


def owners(
    entries: Sequence[Entry],
    kind: str,
    fields: Mapping[str, Scalar],
    *,
    us: str = names.FIELD_MANAGER,
) -> dict[str, Owner]:
    """The owner of each of `fields` that is not ours. The last writer counts."""
    if is_sole(entries, us=us):
        return {}
    mine = [entry for entry in entries if _is_by(us, entry)]
    others = sorted(
        (entry for entry in entries if not _is_by(us, entry) and "subresource" not in entry),
        key=lambda entry: plain(entry.get("time")),
        reverse=True,
    )
    by_path: dict[str, Owner] = {}
    for path in fields:
        steps = steps_to(kind, path)
        if any(holds(entry, steps) for entry in mine):
            continue
        other = next((entry for entry in others if holds(entry, steps)), None)
        if other is not None:
            by_path[path] = owner_of(other)
    return by_path


def _is_by(us: str, entry: Entry) -> bool:
    return entry.get("manager") == us and entry.get("operation") == "Apply"


def owner_of(entry: Entry) -> Owner:
    """Who wrote an entry of managedFields, how, and when."""
    return Owner(
        manager=manager_of(entry),
        declarative=entry.get("operation") == "Apply",
        at=written_at(entry),
    )


def steps_to(kind: str, path: str) -> tuple[str, ...]:
    """The keys that lead to a path of ours in fieldsV1."""
    if kind == "LimitRange" and path.startswith("spec.limits"):
        return ("f:spec", "f:limits")  # one atomic list to the server
    if path == "spec.scopes":
        return ("f:spec",)
    head, bracket, inside = path.partition("[")
    steps = tuple(f"f:{part}" for part in head.split("."))
    return (*steps, f"f:{inside[:-1]}") if bracket else steps


def holds(entry: Entry, steps: tuple[str, ...]) -> bool:
    """Whether a manager's entry has the field that `steps` lead to."""
    node: Any = entry.get("fieldsV1")
    for step in steps:
        node = node.get(step) if isinstance(node, Mapping) else None
        if node is None:
            return False
    return True
