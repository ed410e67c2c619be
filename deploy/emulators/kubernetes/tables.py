"""Tables as kubectl prints them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from deploy.emulators.kubernetes.kinds import Kind, Obj

Cells = Callable[[Obj], list[Any]]


_META = "meta.k8s.io/v1"


def _quota(obj: Obj) -> list[Any]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    rows = {True: "", False: ""}
    for name in sorted(hard):
        is_limit = name.startswith("limits.")
        text = f"{name}: {used.get(name, '0')}/{hard[name]}"
        rows[is_limit] += (", " if rows[is_limit] else "") + text
    return [rows[False], rows[True]]


def _pod(obj: Obj) -> list[Any]:
    status = obj.get("status") or {}
    statuses = status.get("containerStatuses") or []
    ready = sum(1 for container in statuses if container.get("ready"))
    ended = [
        (container.get("state") or {}).get("terminated", {}).get("reason") for container in statuses
    ]
    shown = next((reason for reason in ended if reason), status.get("phase"))
    if "deletionTimestamp" in obj["metadata"]:
        shown = "Terminating"
    restarts = sum(container.get("restartCount", 0) for container in statuses)
    return [f"{ready}/{len(obj['spec']['containers'])}", shown, restarts]


def _job(obj: Obj) -> list[Any]:
    status = obj.get("status") or {}
    done = {
        condition["type"]
        for condition in status.get("conditions") or ()
        if condition["status"] == "True"
    }
    shown = next((name for name in ("Complete", "Failed") if name in done), "Running")
    return [shown, f"{status.get('succeeded', 0)}/{obj['spec'].get('completions', 1)}"]


def _event(obj: Obj) -> list[Any]:
    about = obj.get("involvedObject") or {}
    named = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
    return [obj.get("type"), obj.get("reason"), named, obj.get("message")]


def _phase(obj: Obj) -> list[Any]:
    return [(obj.get("status") or {}).get("phase")]


def _data(obj: Obj) -> list[Any]:
    return [len(obj.get("data") or ())]


_COLUMNS: dict[str, tuple[list[str], Cells]] = {
    "ResourceQuota": (["Request", "Limit"], _quota),
    "Pod": (["Ready", "Status", "Restarts"], _pod),
    "Job": (["Status", "Completions"], _job),
    "Event": (["Type", "Reason", "Object", "Message"], _event),
    "Namespace": (["Status"], _phase),
    "PersistentVolumeClaim": (["Status"], _phase),
    "ConfigMap": (["Data"], _data),
}


def _age(obj: Obj, now: datetime) -> str:
    created = obj["metadata"].get("creationTimestamp")
    if not created:
        return "<unknown>"
    moment = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    seconds = int((now - moment).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def is_wanted(accept: str) -> bool:
    """Tell whether the client asks for a table first."""
    return "as=Table" in accept.split(",")[0]


def is_bare(accept: str) -> bool:
    """Tell whether the client asks for the metadata of a list only."""
    return "as=PartialObjectMetadataList" in accept.split(",")[0]


def bare(objects: list[Obj], metadata: Obj) -> Obj:
    """Return a `PartialObjectMetadataList` of objects."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": _META,
        "metadata": metadata,
        "items": [_bare(obj) for obj in objects],
    }


def _bare(obj: Obj) -> Obj:
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": obj["metadata"]}


def render(kind: Kind, objects: list[Obj], metadata: Obj, now: datetime) -> Obj:
    """Return a `Table` of objects."""
    names, cells = _COLUMNS.get(kind.name, ([], lambda _: []))
    columns = ["Name", *names, "Age"]
    rows = [
        {
            "cells": [obj["metadata"]["name"], *cells(obj), _age(obj, now)],
            "object": _bare(obj),
        }
        for obj in objects
    ]
    return {
        "kind": "Table",
        "apiVersion": _META,
        "metadata": metadata,
        "columnDefinitions": [_column(name) for name in columns],
        "rows": rows,
    }


def _column(name: str) -> Obj:
    form = "name" if name == "Name" else ""
    return {"name": name, "type": "string", "format": form, "description": name, "priority": 0}
