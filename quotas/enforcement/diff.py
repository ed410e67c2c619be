"""Desired against observed, as data. Preview, rollout, sweep and ledger all use the same diff."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from quotas.enforcement.ports import (
    Altered,
    Change,
    DesiredObject,
    FieldChange,
    ObjectRef,
    ObservedObject,
    Operation,
    Owner,
)

MOST_FIELDS = 500
"""Fields of one object that are stored; a plan has a tenth of it."""


def diff(
    desired: Iterable[DesiredObject], observed: Iterable[ObservedObject]
) -> tuple[Change, ...]:
    """The changes that make `observed` say what `desired` says, in order of application.

    Objects of ours that nobody wants are deleted, last stage first (adopted ones only lose our
    fields); what is not ours is left alone. A field that is observed but not desired is removed.
    Equal values make no change.
    """
    current = {item.ref: item for item in observed}
    wanted = {want.ref: want for want in desired}
    changes = [
        change
        for want in wanted.values()
        if (change := _compare(want, current.get(want.ref))) is not None
    ]
    changes.sort(key=lambda change: (change.stage, change.ref))
    gone = [item for ref, item in current.items() if ref not in wanted and item.ours]
    return (*changes, *(_delete(item) for item in sorted(gone, key=_deletion_order)))


def _compare(want: DesiredObject, observed: ObservedObject | None) -> Change | None:
    keys = {path: key for key, path in want.limits.items()}
    if observed is None:
        fields = tuple(
            FieldChange(path, "", _text(want.shown, path, want.fields), keys.get(path, ""))
            for path in sorted(want.fields)
        )
        return Change(Operation.CREATE, want.ref, fields, want, want.stage)
    paths = sorted(set(want.fields) | set(observed.fields))
    fields = tuple(
        FieldChange(
            path,
            _text(observed.shown, path, observed.fields),
            _text(want.shown, path, want.fields),
            keys.get(path, ""),
            observed.owners.get(path),
        )
        for path in paths
        if want.fields.get(path) != observed.fields.get(path)
    )
    if not fields:
        return None
    return Change(Operation.UPDATE, want.ref, fields, want, want.stage, observed.uid)


def stored_otherwise(change: Change, stored: ObservedObject) -> Altered | None:
    """What differs still when a plane answers a write with the object as it stored it; None when
    that is what was sent. What another owner has added beside it was known before."""
    left = None if change.desired is None else _compare(change.desired, stored)
    if left is None or change.desired is None:
        return None
    if all(item.owner and item.path not in change.desired.fields for item in left.fields):
        return None
    return Altered(stored, left)


def _text(shown: Mapping[str, str], path: str, fields: Mapping[str, object]) -> str:
    if path in shown:
        return shown[path]
    value = fields.get(path)
    return "" if value is None else str(value)


def _delete(observed: ObservedObject) -> Change:
    fields = tuple(
        FieldChange(path, _text(observed.shown, path, observed.fields), "")
        for path in sorted(observed.fields)
    )
    operation = Operation.UPDATE if observed.adopted else Operation.DELETE
    return Change(operation, observed.ref, fields, None, 99, observed.uid)


def _deletion_order(observed: ObservedObject) -> tuple[bool, ObjectRef]:
    # A namespace goes last: deleting it first would hide what became of the rest.
    return (observed.ref.kind == "Namespace", observed.ref)


def digest(desired: Iterable[DesiredObject]) -> str:
    """A fingerprint of a desired state: equal states have equal digests."""
    content = [[str(want.ref), dict(sorted(want.fields.items()))] for want in desired]
    content.sort(key=lambda pair: str(pair[0]))
    packed = json.dumps(content, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(packed.encode()).hexdigest()


def changes_digest(changes: Iterable[tuple[int, Change]]) -> str:
    """A fingerprint of (placement id, change) pairs: what a preview promises."""
    content = sorted(
        [
            placement,
            change.operation,
            str(change.ref),
            [[item.path, item.before, item.after] for item in change.fields],
        ]
        for placement, change in changes
    )
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


# -- as JSON -------------------------------------------------------------------------------------


def change_json(change: Change) -> dict[str, Any]:
    """A change as JSON, the way proposals, rollout items, drifts and states store it. Of an object
    into which somebody wrote thousands of entries the others are counted."""
    return {
        "operation": str(change.operation),
        "kind": change.ref.kind,
        "namespace": change.ref.namespace,
        "name": change.ref.name,
        "part": change.ref.part,
        "object": str(change.ref),
        "fields": [
            {
                "path": item.path,
                "before": item.before,
                "after": item.after,
                "key": item.key,
                "owner": owner_json(item.owner),
            }
            for item in _shown_fields(change.fields)
        ],
    }


def _shown_fields(fields: tuple[FieldChange, ...]) -> tuple[FieldChange, ...]:
    more = len(fields) - MOST_FIELDS
    return fields if more <= 0 else (*fields[:MOST_FIELDS], FieldChange(f"and {more} more", "", ""))


def changes_json(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Changes as JSON."""
    return [change_json(change) for change in changes]


def owner_json(owner: Owner | None) -> dict[str, Any] | None:
    """An owner as JSON."""
    if owner is None:
        return None
    at = owner.at.isoformat() if owner.at else None
    return {"manager": owner.manager, "declarative": owner.declarative, "at": at}


def change_from_json(stored: Mapping[str, Any]) -> Change:
    """The change that `change_json` wrote: what it would do to which fields and whose they are. It
    is for people to read; without a desired state it cannot be written."""
    ref = ObjectRef(stored["kind"], stored["namespace"], stored["name"], stored["part"])
    fields = tuple(
        FieldChange(item["path"], item["before"], item["after"], item["key"], _owner(item["owner"]))
        for item in stored["fields"]
    )
    return Change(Operation(stored["operation"]), ref, fields)


def _owner(stored: Mapping[str, Any] | None) -> Owner | None:
    if stored is None:
        return None
    at = datetime.fromisoformat(stored["at"]) if stored["at"] else None
    return Owner(stored["manager"], stored["declarative"], at)
