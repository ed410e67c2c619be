"""A cluster without its HTTP face: the store, the verbs, the controllers and their timers."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.emulators.kubernetes import seed
from deploy.emulators.kubernetes.bodies import now, stamp
from deploy.emulators.kubernetes.events import Events
from deploy.emulators.kubernetes.jobs import JobController
from deploy.emulators.kubernetes.kinds import (
    EVENT,
    KINDS,
    NAMESPACE,
    POD,
    Kind,
    Obj,
)
from deploy.emulators.kubernetes.pods import PodRunner
from deploy.emulators.kubernetes.recount import QuotaController
from deploy.emulators.kubernetes.resources import Resources
from deploy.emulators.kubernetes.store import Store

_TERMINATING_SECONDS = 0.3
_EVENT_HOURS = 1
_SWEEP_SECONDS = 60.0


class Cluster:
    """Lives on one event loop between `wake` and `sleep`; keeps its objects in between."""

    def __init__(self, data_dir: Path | None, nodes: dict[str, dict[str, str]]) -> None:
        self.store = Store(data_dir)
        self.resources = Resources(self.store)
        self.resources.after_delete = self._leave
        QuotaController(self.store)
        events = Events(self.resources)
        self._pods = PodRunner(self.store, self, events)
        self._jobs = JobController(self.resources, self, events)
        self._handles: set[asyncio.TimerHandle] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        if not self.store.load():
            seed.plant(self.resources, nodes)

    def wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the controllers on a loop."""
        self._loop = loop
        self._pods.resume()
        self._jobs.resume()
        for space in self.store.in_namespace(NAMESPACE, ""):
            if space["status"]["phase"] == "Terminating":
                self._leave(NAMESPACE, space)
        self._forget_events()

    def sleep(self) -> None:
        """Stop the controllers and save."""
        self._loop = None
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()
        self.store.save()

    def later(self, seconds: float, call: Callable[..., Any], *args: Any) -> None:
        """Run something on the loop after a while, unless the cluster sleeps by then."""
        if self._loop is None:
            return
        handles = self._handles

        def run() -> None:
            handles.discard(handle)
            call(*args)

        handle = self._loop.call_later(seconds, run)
        handles.add(handle)

    def _leave(self, kind: Kind, obj: Obj) -> None:
        if kind is POD:
            self._pods.leave(obj)
        elif kind is NAMESPACE:
            self.later(_TERMINATING_SECONDS, self._purge, obj["metadata"]["name"])
        else:
            self.store.remove(kind, obj)

    def _purge(self, namespace: str) -> None:
        for kind in KINDS:
            if kind.namespaced:
                for obj in self.store.in_namespace(kind, namespace):
                    self.store.remove(kind, obj)
        namespace_object = self.store.get(NAMESPACE, "", namespace)
        if namespace_object:
            self.store.remove(NAMESPACE, namespace_object)

    def _forget_events(self) -> None:
        hour_ago = now().timestamp() - _EVENT_HOURS * 3600
        edge = stamp(now().fromtimestamp(hour_ago, tz=now().tzinfo))
        for _, event in list(self.store.ordered(EVENT)):
            if event["metadata"]["creationTimestamp"] < edge:
                self.store.remove(EVENT, event)
        self.later(_SWEEP_SECONDS, self._forget_events)
