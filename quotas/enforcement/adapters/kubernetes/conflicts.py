"""Conflicts of server-side apply: whose fields a change would touch, told by name. Pure.

Fields of other owners are never taken silently: without `force` the owner is named in a Conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from console.errors import Conflict, ExternalError
from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.ports import Change, FieldChange, ObjectRef

Problem = tuple[ObjectRef, ExternalError]


def unforced_conflict(change: Change) -> Conflict | None:
    """The conflict that server-side apply would not find by itself: taking over an object that is
    not ours, or removing an entry that somebody else wrote."""
    if change.desired is None:
        return None
    owners = {
        item.path: item.owner.manager
        for item in change.fields
        if item.owner is not None and (item.path == names.MANAGED_PATH or _removes(change, item))
    }
    return _named(change.ref, owners) if owners else None


def _removes(change: Change, item: FieldChange) -> bool:
    return change.desired is not None and item.path not in change.desired.fields


def _named(ref: ObjectRef, owners: Mapping[str, str]) -> Conflict:
    if names.MANAGED_PATH in owners:
        message = (
            f"{ref} exists and is not Headroom's (last written by {owners[names.MANAGED_PATH]});"
            " it must be adopted before anything is written to it."
        )
    else:
        fields = ", ".join(f"{path} (by {owner})" for path, owner in sorted(owners.items()))
        message = f"{ref}: somebody else added {fields}."
    return Conflict(message, owners=owners)


def takes_over(change: Change) -> bool:
    """Whether the change takes over an object that does not carry our label."""
    return any(item.path == names.MANAGED_PATH and item.owner is not None for item in change.fields)


def foreign_entries(change: Change) -> list[str]:
    """Entries of a quota that are not ours: an apply does not remove them, a patch does."""
    return [
        item.path.removeprefix("spec.hard[")[:-1]
        for item in change.fields
        if item.owner is not None and item.path.startswith("spec.hard[") and _removes(change, item)
    ]


def in_our_words(error: ExternalError, change: Change) -> ExternalError:
    """What the API server refused, with our paths instead of its own."""
    if isinstance(error, Conflict) and error.owners:
        paths = {_dotted(item.path): item.path for item in change.fields}
        owners = {paths.get(path, path.lstrip(".")): name for path, name in error.owners.items()}
        return Conflict(_owned(change.ref, owners), owners=owners)
    if error.code == "namespace_terminating":
        return ExternalError(error.message, retryable=True, code=error.code, retry_after=2.0)
    return error


def _owned(ref: ObjectRef, owners: Mapping[str, str]) -> str:
    fields = ", ".join(f"{path} (by {owner})" for path, owner in sorted(owners.items()))
    return f"{ref}: somebody else holds {fields}."


def _dotted(path: str) -> str:
    """A path as the API server spells it in a conflict."""
    if path.startswith("spec.limits"):
        return ".spec.limits"
    head, bracket, inside = path.partition("[")
    return f".{head}.{inside[:-1]}" if bracket else f".{head}"


def summary(problems: Sequence[Problem]) -> ExternalError | None:
    """One error for a placement: a conflict names all owners; else the first that is final."""
    if not problems:
        return None
    conflicts = [error for _, error in problems if isinstance(error, Conflict) and error.owners]
    if conflicts:
        owners: dict[str, str] = {}
        for conflict in conflicts:
            owners |= conflict.owners
        return Conflict(" ".join(error.message for error in conflicts), owners=owners)
    final = [error for _, error in problems if not error.retryable]
    return final[0] if final else problems[0][1]
