"""Who may run: a queue for each namespace, and how many of each run at once."""

from collections.abc import Iterable, Mapping

from console.unstructured import whole
from deploy.emulators.argo.names import Obj


def order(workflow: Obj) -> tuple[int, str, str]:
    """Highest priority first, then the oldest."""
    own = workflow["metadata"]
    priority = whole((workflow["spec"] or {}).get("priority")) or 0
    return (-priority, str(own.get("creationTimestamp", "")), own["name"])


def most(label: str | None, default: int) -> int:
    """How many of a namespace run at once; 0 is no limit. What is no number says nothing."""
    return int(label) if label is not None and label.isdecimal() else default


class Slots:
    """The workflows that hold a slot, by uid. One that waits for a lock holds one too."""

    def __init__(self, *, parallelism: int = 0, namespace_parallelism: int = 0) -> None:
        self._parallelism = parallelism
        self._default = namespace_parallelism
        self._held: dict[str, str] = {}

    def __contains__(self, uid: str) -> bool:
        return uid in self._held

    def restore(self, workflows: Iterable[Obj]) -> None:
        """After a restart only those whose phase is Running are counted again."""
        for workflow in workflows:
            if (workflow.get("status") or {}).get("phase") == "Running":
                own = workflow["metadata"]
                self._held.setdefault(own["uid"], own["namespace"])

    def keep(self, uids: Iterable[str]) -> None:
        """Slots of workflows that are gone or done are free."""
        alive = set(uids)
        self._held = {uid: where for uid, where in self._held.items() if uid in alive}

    def release(self, uid: str) -> None:
        """A workflow is done."""
        self._held.pop(uid, None)

    def admit(self, waiting: Iterable[Obj], labels: Mapping[str, str]) -> list[Obj]:
        """Gives slots to those that fit; returns those that do not, in order."""
        postponed = []
        for workflow in sorted(waiting, key=order):
            own = workflow["metadata"]
            where = own["namespace"]
            limit = most(labels.get(where), self._default)
            here = sum(place == where for place in self._held.values())
            full = self._parallelism and len(self._held) >= self._parallelism
            if full or (limit and here >= limit):
                postponed.append(workflow)
            else:
                self._held[own["uid"]] = where
        return postponed
