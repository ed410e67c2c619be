"""Events that controllers write about objects."""

from typing import Any

from deploy.emulators.kubernetes.bodies import (
    Target,
    now,
    stamp,
    suffix,
)
from deploy.emulators.kubernetes.kinds import EVENT, Obj
from deploy.emulators.kubernetes.resources import Resources

_SIMILAR = 10
_COMBINED = "(combined from similar events): "


class Events:
    """Writes events; from the eleventh similar one on, one event counts them all."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._seen: dict[tuple[str, str], int] = {}
        self._combined: dict[tuple[str, str], str] = {}

    def say(
        self, about: Obj, reason: str, message: str, *, source: str, warning: bool = False
    ) -> None:
        """Write an event about an object; nothing when its namespace is going."""
        metadata = about["metadata"]
        key = (metadata["uid"], reason)
        self._seen[key] = self._seen.get(key, 0) + 1
        if self._seen[key] > _SIMILAR:
            message = _COMBINED + message
            if self._count(key, metadata["namespace"], message):
                return
        body = _event(about, reason, message, source=source, warning=warning)
        target = Target(EVENT, metadata["namespace"], manager=source)
        if self._resources.store.get_namespace_phase(metadata["namespace"]) == "Active":
            made = self._resources.create(target, body)
            self._combined[key] = made["metadata"]["name"]

    def _count(self, key: tuple[str, str], namespace: str, message: str) -> bool:
        if self._seen[key] == _SIMILAR + 1:
            return False
        event = self._resources.store.get(EVENT, namespace, self._combined.get(key, ""))
        if not event:
            return False
        counted = {"count": event["count"] + 1, "lastTimestamp": stamp(now()), "message": message}
        self._resources.store.put(EVENT, {**event, **counted})
        return True


def _event(about: Obj, reason: str, message: str, *, source: str, warning: bool) -> Obj:
    metadata: dict[str, Any] = about["metadata"]
    moment = now()
    serial = f"{int(moment.timestamp() * 1e6):x}{suffix()}"
    return {
        "metadata": {"name": f"{metadata['name']}.{serial}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "kind": about["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": about["apiVersion"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "reason": reason,
        "message": message,
        "source": {"component": source},
        "firstTimestamp": stamp(moment),
        "lastTimestamp": stamp(moment),
        "count": 1,
        "type": "Warning" if warning else "Normal",
        "eventTime": None,
        "reportingComponent": source,
        "reportingInstance": "",
    }
