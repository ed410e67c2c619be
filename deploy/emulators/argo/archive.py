"""Completed workflows, kept in memory after their objects have gone: the newest, so many of them.
Nothing is kept over a restart but what is still in the cluster."""

import threading
from collections.abc import Iterable
from typing import Final

from deploy.emulators.argo.names import Obj

MOST: Final = 500


class Archive:
    """By uid, one row each: a run that was retried replaces what was kept of it, as in Argo."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._rows: dict[str, Obj] = {}
        self._lock = threading.Lock()

    def put(self, workflows: Iterable[Obj]) -> None:
        """Keep them; the longest finished make room."""
        with self._lock:
            self._rows |= {workflow["metadata"]["uid"]: workflow for workflow in workflows}
            for uid in sorted(self._rows, key=self._finished)[: max(0, len(self) - self._most)]:
                del self._rows[uid]

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, uid: str) -> Obj | None:
        """One by its uid."""
        with self._lock:
            return self._rows.get(uid)

    def all(self) -> list[Obj]:
        """Everything, the latest started first."""
        with self._lock:
            rows = list(self._rows.values())
        return sorted(
            rows, key=lambda workflow: str(workflow["status"].get("startedAt")), reverse=True
        )

    def _finished(self, uid: str) -> str:
        return str(self._rows[uid]["status"].get("finishedAt") or "")
