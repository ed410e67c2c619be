"""Desired against observed, as data. Preview, rollout, sweep and ledger all use the same diff."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from quotas.enforcement.ports import (
    Change,
    DesiredObject,
    FieldChange,
    ObjectRef,
    ObservedObject,
    Operation,
)


def diff(
    desired: Iterable[DesiredObject], observed: Iterable[ObservedObject]
) -> tuple[Change, ...]:
    """The changes that make `observed` say what `desired` says, in order of application.

    Objects of ours that nobody wants are deleted, last stage first (adopted ones only lose our
    fields); what is not ours is left alone. A field that is observed but not desired is removed.
    Equal values make no change.
    """
    there = {found.ref: found for found in observed}
    wanted = {want.ref: want for want in desired}
    changes = [
        change
        for want in wanted.values()
        if (change := _compare(want, there.get(want.ref))) is not None
    ]
    changes.sort(key=lambda change: (change.stage, change.ref))
    gone = [found for ref, found in there.items() if ref not in wanted and found.ours]
    return (*changes, *(_delete(found) for found in sorted(gone, key=_deletion_order)))


def _compare(want: DesiredObject, found: ObservedObject | None) -> Change | None:
    keys = {path: key for key, path in want.limits.items()}
    if found is None:
        fields = tuple(
            FieldChange(path, "", _text(want.shown, path, want.fields), keys.get(path, ""))
            for path in sorted(want.fields)
        )
        return Change(Operation.CREATE, want.ref, fields, want, want.stage)
    paths = sorted(set(want.fields) | set(found.fields))
    fields = tuple(
        FieldChange(
            path,
            _text(found.shown, path, found.fields),
            _text(want.shown, path, want.fields),
            keys.get(path, ""),
            found.owners.get(path),
        )
        for path in paths
        if want.fields.get(path) != found.fields.get(path)
    )
    if not fields:
        return None
    return Change(Operation.UPDATE, want.ref, fields, want, want.stage, found.uid)


def _text(shown: Mapping[str, str], path: str, fields: Mapping[str, object]) -> str:
    if path in shown:
        return shown[path]
    value = fields.get(path)
    return "" if value is None else str(value)


def _delete(found: ObservedObject) -> Change:
    fields = tuple(
        FieldChange(path, _text(found.shown, path, found.fields), "")
        for path in sorted(found.fields)
    )
    operation = Operation.UPDATE if found.adopted else Operation.DELETE
    return Change(operation, found.ref, fields, None, 99, found.uid)


def _deletion_order(found: ObservedObject) -> tuple[bool, ObjectRef]:
    # A namespace goes last: deleting it first would hide what became of the rest.
    return (found.ref.kind == "Namespace", found.ref)


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
