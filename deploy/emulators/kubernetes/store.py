"""The objects, their versions, the history that watches read, and the file that keeps them.

Stored objects are never changed in place: a write stores a new dict, so that answers, watches
and the history may share them. Only the emulator's event loop touches a store.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import orjson

from deploy.emulators.kubernetes.kinds import (
    BY_URL,
    KINDS,
    NAMESPACE,
    Kind,
    Obj,
)

_HISTORY = 20_000
_SAVE_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the history: ADDED, MODIFIED or DELETED."""

    version: int
    verb: str
    kind: Kind
    obj: Obj
    before: Obj | None


class Store:
    """Objects by kind, namespace and name."""

    def __init__(self, data_dir: Path | None = None) -> None:
        self.version = 1
        self.compacted = 0
        self.history: deque[Change] = deque(maxlen=_HISTORY)
        self.listeners: list[Callable[[Change], None]] = []
        self._objects: dict[Kind, dict[str, dict[str, Obj]]] = {kind: {} for kind in KINDS}
        self._file = data_dir / "objects.json" if data_dir else None
        self._dirty = False

    def get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        """Return one object, or None."""
        return self._objects[kind].get(namespace, {}).get(name)

    def get_namespace_phase(self, name: str) -> str:
        """Return `Active`, `Terminating`, or "" when there is no such namespace."""
        namespace = self.get(NAMESPACE, "", name)
        return str(namespace["status"]["phase"]) if namespace else ""

    def in_namespace(self, kind: Kind, namespace: str) -> list[Obj]:
        """Return the objects of one namespace ("" for a kind without namespaces), unordered."""
        return list(self._objects[kind].get(namespace, {}).values())

    def ordered(self, kind: Kind, namespace: str = "") -> Iterator[tuple[str, Obj]]:
        """Yield (key, object) in key order; all namespaces when none is given."""
        spaces = self._objects[kind]
        for space in [namespace] if namespace else sorted(spaces, key="{}/".format):
            for name, obj in sorted(spaces.get(space, {}).items()):
                yield (f"{space}/{name}", obj)

    def put(self, kind: Kind, obj: Obj) -> Obj:
        """Store an object under the next version, and tell the listeners."""
        metadata = dict(obj["metadata"])
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        before = self.get(kind, namespace, name)
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        metadata.setdefault("uid", str(uuid4()))
        named = {key: obj[key] for key in ("kind", "apiVersion")}
        stored = {**named, "metadata": _ordered_metadata(metadata), **_rest(obj)}
        self._objects[kind].setdefault(namespace, {})[name] = stored
        self._record(Change(self.version, "MODIFIED" if before else "ADDED", kind, stored, before))
        return stored

    def remove(self, kind: Kind, obj: Obj) -> None:
        """Remove an object; watches see it once more with the version of its removal."""
        metadata = obj["metadata"]
        space = self._objects[kind].get(metadata.get("namespace", ""), {})
        before = space.pop(metadata["name"], None)
        if before is None:
            return
        self.version += 1
        gone = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.version)}}
        self._record(Change(self.version, "DELETED", kind, gone, before))

    def compact(self) -> None:
        """Forget the history: older watches and continue tokens get 410."""
        self.compacted = self.version
        self.history.clear()

    def _record(self, change: Change) -> None:
        if len(self.history) == _HISTORY:
            self.compacted = self.history[0].version
        self.history.append(change)
        self._dirty = True
        for listener in tuple(self.listeners):
            listener(change)

    def load(self) -> bool:
        """Read the file; False when there is none."""
        if not self._file or not self._file.exists():
            return False
        saved = orjson.loads(self._file.read_bytes())
        self.version = self.compacted = saved["version"]
        for group, plural, objects in saved["kinds"]:
            kind = BY_URL[(group, plural)]
            for obj in objects:
                space = self._objects[kind].setdefault(obj["metadata"].get("namespace", ""), {})
                space[obj["metadata"]["name"]] = obj
        return True

    def save(self) -> None:
        """Write the file if anything changed since the last time; a crash leaves the old one."""
        if not self._file or not self._dirty:
            return
        self._dirty = False
        kinds = [
            (kind.group, kind.plural, [obj for _, obj in self.ordered(kind)]) for kind in KINDS
        ]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".new")
        draft.write_bytes(orjson.dumps({"version": self.version, "kinds": kinds}))
        draft.replace(self._file)

    async def keep_saving(self) -> None:
        """Save once a second while there is something to save, until cancelled."""
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(_SAVE_AFTER_SECONDS)
                self.save()
        self.save()


_FIRST = frozenset({"kind", "apiVersion", "metadata"})
_ORDER = (
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)


def _rest(obj: Obj) -> Obj:
    return {key: value for key, value in obj.items() if key not in _FIRST}


def _ordered_metadata(metadata: Obj) -> Obj:
    return {key: metadata[key] for key in _ORDER if key in metadata}
