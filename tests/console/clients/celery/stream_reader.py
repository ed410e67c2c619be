"""Who reads a stream of a Redis in a test, and what its keepers say."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import redis

from console.clients.celery.client import CeleryClient
from console.clients.celery.events import EventStream
from console.clients.celery.kept_events import KeeperSign, State, state_key
from console.clients.celery.records import EventBatch
from tests.waiting import PATIENCE


class Reader:
    """Reads, stores, and can be killed."""

    def __init__(self, url: str, queue: str, *, credential: str = "") -> None:
        self.queue = queue
        self._client = partial(CeleryClient, url, credential=credential)
        self.stream: EventStream = self._client().events()
        self.ids: list[str] = []
        self.batches: list[EventBatch] = []
        self.position, self.at_us = "", 0

    def read(self, enough: Callable[[], object] = lambda: True) -> None:
        """Batches until it is enough; all are stored."""
        deadline = time.monotonic() + PATIENCE
        batches = self.stream.batches(
            queue=self.queue,
            position=self.position,
            at_us=self.at_us,
            within=0.2,  # clock: then on
        )
        with closing(batches):
            for batch in batches:
                self.batches.append(batch)
                self.ids += [event.uuid for event in batch.events if event.uuid]
                self.position, self.at_us = batch.position, batch.at_us
                self.stream.stored(batch.position)
                if batch.caught_up and enough():
                    return
                assert time.monotonic() < deadline, "it did not come"

    def killed(self) -> None:
        """As when the process ends, with its connection."""
        self.stream.close()
        self.stream = self._client().events()

    @property
    def causes(self) -> list[str]:
        """What is said to be missing."""
        return [outage.cause for batch in self.batches for outage in batch.outages]


def raw(url: str) -> Any:
    """The broker, past everything."""
    return redis.Redis.from_url(url)


def keepers(queue: str, url: str) -> dict[str, KeeperSign]:
    """What its keepers last said."""
    return State(raw(url).hgetall(state_key(queue))).keepers()
