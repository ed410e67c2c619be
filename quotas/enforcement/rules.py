"""What the loop decides, as pure functions: what may be written, what a placement's state is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from quotas.enforcement.ports import (
    Change,
    Compiled,
    DesiredObject,
    FieldChange,
    ObjectRef,
    Observed,
    ObservedObject,
    Operation,
)
from quotas.plans.contracts import EffectiveLimits, Unit
from quotas.plans.limits import parse_key

NOBODY = "somebody else (it does not carry our label)"
ALTERED = "altered"
"""Code of a placement whose target stored something else than it was sent."""
LOST = "target.lost"
"""The ledger's action where a target lost all that had been written to it."""
CLUSTER_ITSELF = "the cluster itself"
_CLUSTERS = ("kubernetes", "argo")
_ON_CLUSTERS = (
    " A mutating admission policy or webhook of the cluster does that{suspects}; once it lets the"
    " value through, Repair sends it again."
)
TIGHTEST = 3
LONGEST_OWNER = 200
MOST_LISTED = 20
SWAY = 1.1
OVERFULL = 99.0
"""Fullness of a limit of 0 that is used: no ratio says it, and JSON knows no infinity."""


@dataclass(frozen=True, slots=True)
class OwnershipSplit:
    """Changes by whether they may be written. `blocked` are left alone, and `owners` says because
    of whom, by field path. `force`: fields have to be taken over from one-off edits."""

    changes: tuple[Change, ...]
    blocked: tuple[Change, ...] = ()
    owners: Mapping[str, str] = field(default_factory=dict)
    force: bool = False


def split_by_owner(
    changes: Sequence[Change], observed: Observed, *, force: bool, over_edits: bool
) -> OwnershipSplit:
    """Splits changes by whose fields they touch.

    Another controller's fields are taken only with `force` (a person said so); those of a one-off
    edit also with `over_edits`. Where an object that we want is not ours, nothing of the placement
    is written: it is somebody else's place.
    """
    if force:
        return OwnershipSplit(tuple(changes), (), {}, force=True)
    foreign = {item.ref for item in observed.objects if not item.ours}
    unlabelled = {str(change.ref): NOBODY for change in changes if change.ref in foreign}
    if unlabelled:
        return OwnershipSplit((), tuple(changes), unlabelled)
    blocked = {
        change.ref: fields
        for change in changes
        if (fields := _owned_by_others(change, over_edits=over_edits))
    }
    owners = {item.path: _owner_name(item) for fields in blocked.values() for item in fields}
    free = tuple(change for change in changes if change.ref not in blocked)
    return OwnershipSplit(
        free,
        tuple(change for change in changes if change.ref in blocked),
        owners,
        force=any(item.owner for change in free for item in change.fields),
    )


def _owned_by_others(change: Change, *, over_edits: bool) -> list[FieldChange]:
    return [
        item
        for item in change.fields
        if item.owner is not None and (item.owner.declarative or not over_edits)
    ]


def _owner_name(item: FieldChange) -> str:
    return item.owner.manager if item.owner else ""


def owner_names(changes: Iterable[Change]) -> str:
    """Who wrote what differs, in a few words; empty where nobody is known."""
    names = {item.owner.manager for change in changes for item in change.fields if item.owner}
    shown = ", ".join(sorted(names))
    return shown if len(shown) <= LONGEST_OWNER else f"{shown[: LONGEST_OWNER - 1]}…"


def changed_by(kind: str, changes: Iterable[Change]) -> str:
    """Who made the differences, for people; empty where the plane does not tell.

    A cluster notes who writes a field. Where one differs and nobody but us has written it, the
    cluster itself changed it on the way in: an admission policy or a webhook.
    """
    changes = tuple(changes)
    if names := owner_names(changes):
        return names
    there = all(
        change.operation is Operation.UPDATE and all(item.before for item in change.fields)
        for change in changes
    )
    return CLUSTER_ITSELF if kind in _CLUSTERS and there and changes else ""


def altered_text(kind: str, left: Sequence[Change], suspects: Iterable[str] = ()) -> str:
    """What a target stored otherwise than it was sent, in sentences; `left` is what differs."""
    names = sorted(set(suspects))
    if kind not in _CLUSTERS and names:
        sent = [f"{item.path} {item.after}" for change in left for item in change.fields]
        where = ", ".join(str(change.ref) for change in left)
        return (
            f"{where}: {', '.join(sent)} was sent, but {listed(names, '; ')}."
            " Repair sends it again."
        )
    name = "cluster" if kind in _CLUSTERS else "target"
    text = ". ".join(
        f"{change.ref}: {'; '.join(_altered_field(name, item) for item in change.fields)}"
        for change in left
    )
    if kind not in _CLUSTERS:
        return f"{text}."
    there = f" (there are {', '.join(names)})" if names else ""
    return f"{text}." + _ON_CLUSTERS.format(suspects=there)


def _altered_field(name: str, item: FieldChange) -> str:
    if not item.after:
        return f"{item.path} was not sent, the {name} added {item.before} on the way in"
    if not item.before:
        return f"{item.path} {item.after} was sent, the {name} removed it on the way in"
    sent = f"{item.path} {item.after} was sent"
    return f"{sent}, the {name} changed it to {item.before} on the way in"


def same_but_owners(some: Iterable[Mapping[str, Any]], others: Iterable[Mapping[str, Any]]) -> bool:
    """Whether changes in JSON are the same, whoever is thought to have made them."""
    return _ownerless(some) == _ownerless(others)


def _ownerless(changes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**change, "fields": [{**item, "owner": None} for item in change["fields"]]}
        for change in changes
    ]


def listed(names: Iterable[str], between: str = ", ") -> str:
    """Names as a text for people, the first of very many."""
    known = list(names)
    more = len(known) - MOST_LISTED
    return between.join(known[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def touched_fields(changes: Iterable[Mapping[str, Any]]) -> set[str]:
    """One text per field (or whole object) that changes in JSON touch, to recognise them again."""
    touched: set[str] = set()
    for change in changes:
        if change["operation"] == Operation.UPDATE:
            touched.update(f"{change['object']} {item['path']}" for item in change["fields"])
        else:
            touched.add(f"{change['object']} {change['operation']}")
    return touched


def limit_rows(
    *,
    kind: str,
    compiled: Compiled,
    observed: Observed,
    limits: EffectiveLimits | None,
    applied: bool,
    altered: Mapping[ObjectRef, ObservedObject] | None = None,
) -> dict[str, dict[str, Any]]:
    """By limit key: intended, enforced, used, recounted, why, source, in base units.

    `applied` says that `compiled` was just written, so that it is what is enforced, except for what
    was stored otherwise (`altered`). `enforced` is absent while nobody knows it; None is unlimited.
    """
    if limits is None:
        return {}
    desired = {key: (want, path) for want in compiled.objects for key, path in want.limits.items()}
    there = {item.ref: item.fields for item in observed.objects}
    usage = {item.key: item for item in observed.usage}
    rows: dict[str, dict[str, Any]] = {}
    for key, limit in limits.limits.items():
        if plane_of(key) != kind:
            continue
        row: dict[str, Any] = {"intended": limit.value, "source": str(limit.source)}
        report = usage.get(key)
        if report is not None:
            row |= {"used": report.used, "recounted": report.recounted, "why": report.why}
            row["enforced"] = report.hard
        elif key in desired and desired[key][0].ref in there:
            row["enforced"] = there[desired[key][0].ref].get(desired[key][1])
        if applied and key in desired:
            want, path = desired[key]
            stored = (altered or {}).get(want.ref)
            row["enforced"] = (
                _desired_value(want, path, intended=limit.value)
                if stored is None
                else _stored_value(stored, path)
            )
        rows[key] = row
    return rows


def keep_recounts(rows: dict[str, dict[str, Any]], before: Mapping[str, Mapping[str, Any]]) -> None:
    """Puts earlier recounts into rows that have none, as long as the used value is the same: a
    look at everything does not count again."""
    for key, row in rows.items():
        old = before.get(key, {})
        same = row.get("recounted") is None and row.get("used") == old.get("used")
        if same and old.get("recounted") is not None:
            row["recounted"] = old["recounted"]


def _desired_value(want: DesiredObject, path: str, *, intended: int | None) -> int | None:
    value = want.fields.get(path)
    return value if isinstance(value, int) else intended


def _stored_value(stored: ObservedObject, path: str) -> int | None:
    value = stored.fields.get(path)
    return value if isinstance(value, int) else None


@lru_cache(maxsize=4096)
def plane_of(key: str) -> str:
    """The kind of target that enforces a limit."""
    return str(parse_key(key).plane)


def fullness(row: Mapping[str, Any]) -> float | None:
    """used / enforced of one limit row; None where either is unknown or unlimited."""
    used, enforced = row.get("used"), row.get("enforced")
    if used is None or enforced is None:
        return None
    if enforced == 0:
        return OVERFULL if used > 0 else None
    return round(float(used) / float(enforced), 4)


def _fullness_of(key: str, row: Mapping[str, Any]) -> float | None:
    """What is used of a rate is measured over a while, and sways about the limit that holds it: a
    little above it is at it."""
    ratio = fullness(row)
    if ratio is None or not 1 < ratio <= SWAY:
        return ratio
    return 1.0 if parse_key(key).unit is Unit.MILLI_PER_SECOND else ratio


def tightest(rows: Iterable[tuple[str, str, Mapping[str, Mapping[str, Any]]]]) -> list[Any]:
    """The fullest limits of (target, location, limit rows), fullest first, at most three."""
    full = [
        (ratio, key, target, location, row)
        for target, location, limits in rows
        for key, row in limits.items()
        if (ratio := _fullness_of(key, row)) is not None
    ]
    full.sort(key=lambda item: (-item[0], item[1], item[2], item[3]))
    return [
        {
            "key": key,
            "target": target,
            "location": location,
            "used": row["used"],
            "enforced": row["enforced"],
            "intended": row.get("intended"),
            "source": row.get("source"),
            "fullness": ratio,
        }
        for ratio, key, target, location, row in full[:TIGHTEST]
    ]
