"""Watches: the changes of one kind as a stream of JSON lines."""

import asyncio
from collections.abc import AsyncIterator, Callable

import orjson

from deploy.emulators.kubernetes.errors import expired
from deploy.emulators.kubernetes.kinds import Kind, Obj
from deploy.emulators.kubernetes.store import Change, Store

_END_OF_START = {"k8s.io/initial-events-end": "true"}


class Watch:
    """One client's view: a kind, a namespace ("" for all), and a selector."""

    def __init__(
        self, store: Store, kind: Kind, namespace: str, selects: Callable[[Obj], bool]
    ) -> None:
        self._store = store
        self._kind = kind
        self._namespace = namespace
        self._selects = selects
        self._changes: asyncio.Queue[Change] = asyncio.Queue()
        store.listeners.append(self._see)

    def close(self) -> None:
        """Stop listening."""
        self._store.listeners.remove(self._see)

    def _see(self, change: Change) -> None:
        if self._concerns(change):
            self._changes.put_nowait(change)

    def _concerns(self, change: Change) -> bool:
        namespace = change.obj["metadata"].get("namespace", "")
        return change.kind is self._kind and self._namespace in ("", namespace)

    def start(self, version: str, *, mark_end: bool) -> list[bytes]:
        """Return the lines that bring the client from a version to now."""
        if version in ("", "0") or mark_end:
            objects = self._store.ordered(self._kind, self._namespace)
            lines = [_line("ADDED", obj) for _, obj in objects if self._selects(obj)]
            return [*lines, self._bookmark(_END_OF_START)] if mark_end else lines
        since = int(version)
        if since < self._store.compacted:
            gone = expired(f"too old resource version: {version} ({self._store.compacted})")
            return [_line("ERROR", gone.status())]
        past = [change for change in self._store.history if change.version > since]
        lines = [self._told(change) for change in past if self._concerns(change)]
        return [line for line in lines if line]

    async def lines(self, seconds: float, *, bookmarks: bool) -> AsyncIterator[bytes]:
        """Yield a line for each change until the time is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            try:
                change = await asyncio.wait_for(self._changes.get(), min(left, 30.0))
            except TimeoutError:
                if bookmarks:
                    yield self._bookmark({})
                continue
            line = self._told(change)
            if line:
                yield line

    def _told(self, change: Change) -> bytes:
        """Return the line for a change as this selector sees it; empty when it does not."""
        was = change.before is not None and self._selects(change.before)
        is_now = change.verb != "DELETED" and self._selects(change.obj)
        if is_now:
            return _line("MODIFIED" if was else "ADDED", change.obj)
        return _line("DELETED", change.obj) if was else b""

    def _bookmark(self, annotations: dict[str, str]) -> bytes:
        metadata: Obj = {"resourceVersion": str(self._store.version)}
        if annotations:
            metadata["annotations"] = annotations
        obj = {"kind": self._kind.name, "apiVersion": self._kind.api_version, "metadata": metadata}
        return _line("BOOKMARK", obj)


def _line(verb: str, obj: Obj) -> bytes:
    return orjson.dumps({"type": verb, "object": obj}) + b"\n"
