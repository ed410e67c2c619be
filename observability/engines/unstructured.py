"""What both readers of Kubernetes objects need: metadata, events, checkpoints, correlation.

The readers of single values are in console/unstructured.py; like these, nothing here raises on
shape.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from console import unstructured
from console.unstructured import mapping, mappings, moment, texts, whole
from observability.engines.contracts import (
    LONGEST_MESSAGE,
    LONGEST_TITLE,
    PARENT_LABEL,
    REQUEST_LABEL,
    TENANT_LABEL,
    TRACE_LABEL,
    EventKind,
    LinkKind,
    Progress,
    RunEvent,
)
from observability.engines.verbs import ActionRequest

CHECKPOINT_ANNOTATION: Final = "headroom.dev/checkpoint"
LAST: Final = 2**53 - 1
"""The `seq` of what is known to be a run's end but has no time of its own (exact in JSON too)."""
LONGEST_KEY: Final = 160
LONGEST_NAME: Final = 255
MOST_LABELS: Final = 64
LONGEST_VALUE: Final = 300
_LONGEST_REASON: Final = 1000

Object = Mapping[str, Any]


def text(value: object, longest: int = LONGEST_MESSAGE) -> str:
    """`value` when it is a string, cut to `longest` and fit for a database; else empty."""
    return unstructured.text(value, longest)


def micros(at: datetime, order: int = 0) -> int:
    """A `seq`: microseconds since 1970. Kubernetes' times are whole seconds, so `order` puts what
    shares one in the order in which it must have happened."""
    return int(at.timestamp() * 1_000_000) + order


def key_of(*parts: str) -> str:
    """An event key of the parts; a hash stands for the end of one that is too long."""
    key = unstructured.clean(":".join(parts))
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[: LONGEST_KEY - 17]}:{short_hash(key)}"


def short_hash(value: str) -> str:
    """16 hex digits that stand for a text."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:16]


def event(
    at: datetime,
    kind: EventKind,
    title: str,
    *key: str,
    order: int = 0,
    seq: int | None = None,
    **more: Any,
) -> RunEvent:
    """An RunEvent with a bounded title and key, ordered by its time unless `seq` is given."""
    return RunEvent(
        key=key_of(*key),
        seq=micros(at, order) if seq is None else seq,
        at=at,
        kind=kind,
        title=title[:LONGEST_TITLE],
        **more,
    )


def metadata_of(item: Object) -> dict[str, Any]:
    """The metadata of an object."""
    return mapping(item.get("metadata"))


def labels_of(item: Object) -> dict[str, str]:
    """The labels of an object, those that are strings."""
    return texts(metadata_of(item).get("labels"))


def annotations_of(item: Object) -> dict[str, str]:
    """The annotations of an object, those that are strings."""
    return texts(metadata_of(item).get("annotations"))


def shown_labels(item: Object) -> dict[str, str]:
    """The labels that go with a run, bounded in number and size."""
    labels = sorted(labels_of(item).items())[:MOST_LABELS]
    return {text(key, LONGEST_VALUE): text(value, LONGEST_VALUE) for key, value in labels}


def name_of(item: Object) -> str:
    """An object's name."""
    return text(metadata_of(item).get("name"), LONGEST_NAME)


def namespace_of(item: Object) -> str:
    """An object's namespace."""
    return text(metadata_of(item).get("namespace"), LONGEST_NAME)


def uid_of(item: Object) -> str:
    """An object's uid."""
    return text(metadata_of(item).get("uid"), 80)


def version_of(item: Object) -> str:
    """An object's resourceVersion."""
    return text(metadata_of(item).get("resourceVersion"), 24)


def created_of(item: Object, otherwise: datetime) -> datetime:
    """When the API server accepted an object."""
    return moment(metadata_of(item).get("creationTimestamp")) or otherwise


def declared(name: str, *items: Object) -> str:
    """What the starter said under `name`, as a label or (longer values) an annotation."""
    for item in items:
        value = labels_of(item).get(name) or annotations_of(item).get(name)
        if value:
            return text(value, 1000)
    return ""


def tenant_of(*items: Object) -> str:
    """The tenant's slug as declared."""
    return declared(TENANT_LABEL, *items)[:LONGEST_NAME]


def parent_of(*items: Object) -> str:
    """The run key of whatever started this, as declared."""
    return declared(PARENT_LABEL, *items)


def links_of(*items: Object) -> dict[LinkKind, str]:
    """The request and the trace, as declared."""
    links = {
        LinkKind.REQUEST: declared(REQUEST_LABEL, *items)[:LONGEST_NAME],
        LinkKind.TRACE: declared(TRACE_LABEL, *items)[:LONGEST_NAME],
    }
    return {kind: value for kind, value in links.items() if value}


def owners_of(item: Object) -> list[dict[str, Any]]:
    """The owner references of an object."""
    return mappings(metadata_of(item).get("ownerReferences"))


def creator_of(item: Object) -> str:
    """The field manager that wrote an object first, controllers' status writes left out."""
    entries = [
        entry
        for entry in mappings(metadata_of(item).get("managedFields"))
        if not entry.get("subresource") and text(entry.get("manager"))
    ]
    entries.sort(key=lambda entry: text(entry.get("time")))
    return text(entries[0]["manager"], LONGEST_NAME) if entries else ""


def changed_at(item: Object, *path: str) -> datetime | None:
    """When a field was last written, as far as managedFields say: `path` is its way from the top.

    A manager that owns something above the field (an atomic object) counts as its writer.
    """
    return writer_of(item, *path)[1]


def writer_of(item: Object, *path: str) -> tuple[str, datetime | None]:
    """The field manager that last wrote a field, and when, as far as managedFields say."""
    writers = [
        (at, text(entry.get("manager"), LONGEST_NAME))
        for entry in mappings(metadata_of(item).get("managedFields"))
        if _holds(mapping(entry.get("fieldsV1")), path) and (at := moment(entry.get("time")))
    ]
    if not writers:
        return "", None
    at, manager = max(writers)
    return manager, at


def _holds(fields: Mapping[str, Any], path: Iterable[str]) -> bool:
    for part in path:
        below = fields.get(f"f:{part}")
        if not isinstance(below, dict):
            return False
        if not below:
            return True
        fields = below
    return True


def checkpoint_of(value: str, at: datetime) -> Progress:
    """Progress from an annotation: a JSON object with done, total, at and text (or anything else,
    shown as it is), `12/40`, or plain text."""
    try:
        content = orjson.loads(value)
    except orjson.JSONDecodeError:
        content = None
    if isinstance(content, dict):
        written = (content.get("done"), content.get("total"))
        counts = (_count(written[0]), _count(written[1]))
        # A count that no column holds is told all the same, with whatever was written.
        lost = counts.count(None) > written.count(None)
        words = text(value) if lost else text(content.get("text")) or text(value)
        return Progress(moment(content.get("at")) or at, *counts, words)
    done, slash, total = value.partition("/")
    if slash:
        counts = (_count(done.strip()), _count(total.strip()))
        if None not in counts:
            return Progress(at, *counts, text(value))
    return Progress(at, _count(content), None, text(value))


def _count(value: object) -> int | None:
    number = whole(value)
    return number if number is not None and 0 <= number < LAST else None


def checkpoint_events(item: Object, otherwise: datetime, **more: Any) -> list[RunEvent]:
    """The checkpoint annotation of an object as an event, when there is one."""
    written_progress = annotations_of(item).get(CHECKPOINT_ANNOTATION, "")
    if not written_progress:
        return []
    written = changed_at(item, "metadata", "annotations", CHECKPOINT_ANNOTATION)
    progress = checkpoint_of(written_progress, written or otherwise)
    return [checkpoint_event(progress, uid_of(item), short_hash(written_progress), **more)]


def checkpoint_event(progress: Progress, *key: str, **more: Any) -> RunEvent:
    """A checkpoint as an event."""
    known = progress.done is not None
    of = f" of {progress.total}" if progress.total is not None else ""
    return event(
        progress.at,
        EventKind.CHECKPOINT,
        f"Checkpoint: {progress.done}{of}" if known else "Checkpoint",
        *("checkpoint", *key),
        order=40,
        message=progress.text,
        detail={"done": progress.done, "total": progress.total},
        **more,
    )


def progress_of(events: Iterable[RunEvent]) -> Progress | None:
    """The last checkpoint among events."""
    checkpoints = [event for event in events if event.kind is EventKind.CHECKPOINT]
    if not checkpoints:
        return None
    last = max(checkpoints, key=lambda event: event.seq)
    return Progress(last.at, last.detail.get("done"), last.detail.get("total"), last.message)


def notes_of(request: ActionRequest) -> dict[str, str]:
    """Who did what last, and why, for whoever looks with kubectl."""
    return {
        "headroom.dev/last-action": request.verb,
        "headroom.dev/last-actor": request.operator,
        "headroom.dev/last-reason": request.reason[:_LONGEST_REASON],
    }
