"""Listening to the task events of one broker: fast, in batches, for as long as anybody asks.

The subscription outlives a pause between two readers of this process (`LINGER` seconds): the
broker keeps for us what comes meanwhile, so that nobody has to mark a gap for having stored a page.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import kombu
import orjson

from console.backoff import backoff
from console.clients.celery.connection import Broker
from console.clients.celery.records import CeleryEvent, EventBatch, Outage
from console.errors import ExternalError, Unreachable

EXCHANGE: Final = "celeryev"
LINGER: Final = 30.0
PATIENCE: Final = 20.0
"""Seconds for which a lost broker is tried again before whoever reads is told."""
_QUIET: Final = 10.0
"""Seconds of silence after which we make sure that the connection is still one."""
_STEP: Final = 0.2
_PAUSE: Final = 0.05
"""Seconds of silence behind the last event, after which a batch is told."""


def _now_us() -> int:
    return time.time_ns() // 1000


def event_of(raw: Any) -> CeleryEvent | None:
    """One event as it came over the wire; None when it is none."""
    try:
        kind, at = raw["type"], raw["timestamp"]
        return CeleryEvent(
            kind, round(at * 1_000_000), raw.get("hostname") or "", raw.get("uuid") or "", raw
        ) if isinstance(kind, str) else None  # fmt: skip
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        return None


@dataclass(slots=True)
class _Listening:
    """An open subscription. `heard_us` is the last time that we know we were subscribed."""

    connection: Any
    consumer: Any
    since_us: int
    heard_us: int
    checked: float


class EventStream:
    """The events of one broker. One reader at a time."""

    def __init__(self, broker: Broker, *, exchange: str = EXCHANGE) -> None:
        """Nothing is connected yet."""
        self._broker = broker
        self._exchange = exchange
        self._open: _Listening | None = None
        self._waiting: list[CeleryEvent] = []
        self._strange = 0
        self._reading = threading.Lock()
        self._closing: threading.Timer | None = None

    def batches(
        self, *, most: int = 2000, within: float = 1.0
    ) -> Generator[EventBatch, None, None]:
        """Batches of up to about `most` events, each closed after `within` seconds at the latest
        (so an empty one comes when nothing happens), or when nothing came for a moment, for ever.

        The first batch says since when we listen. A lost broker is tried again with backoff for
        `PATIENCE` seconds; then ExternalError. Stopping to iterate keeps the subscription for
        `LINGER` seconds.
        """
        if not self._reading.acquire(blocking=False):
            raise Unreachable("somebody else in this process reads these events")
        try:
            self._stay()
            yield from self._forever(most, within)
        finally:
            self._leave_soon()
            self._reading.release()

    def close(self) -> None:
        """Ends the subscription."""
        self._stay()
        opened, self._open = self._open, None
        if opened is not None:
            with suppress(Exception):
                opened.consumer.cancel()
            with suppress(Exception):
                opened.connection.release()

    # -- the life of the subscription ---------------------------------------------------------

    def _stay(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def _leave_soon(self) -> None:
        # A thread that is started while the interpreter ends never begins, and is waited for.
        ending = sys.is_finalizing() or not threading.main_thread().is_alive()
        if self._open is None or ending:
            return
        self._closing = threading.Timer(LINGER, self._close_if_unread)
        self._closing.daemon = True
        self._closing.start()

    def _close_if_unread(self) -> None:
        if self._reading.acquire(blocking=False):
            try:
                self.close()
            finally:
                self._reading.release()

    def _listen(self) -> _Listening:
        untyped: Any = kombu
        connection = self._broker.connection()
        try:
            with self._broker.errors():
                channel = connection.default_channel
                fanout = connection.transport.driver_type == "redis"
                exchange = untyped.Exchange(self._exchange, type="fanout" if fanout else "topic")
                queue = untyped.Queue(
                    f"celeryev.headroom-{uuid4().hex}",
                    exchange=exchange,
                    routing_key="#",
                    exclusive=True,  # RabbitMQ 4.3 refuses what is neither durable nor exclusive
                    auto_delete=True,
                    durable=False,
                    expires=60.0,
                )
                consumer = untyped.Consumer(
                    channel, [queue], no_ack=True, on_message=self._take, accept=["json"]
                )
                consumer.consume()
                self._read_events(connection, _STEP)  # a Redis subscribes with the first look
        except BaseException:
            with suppress(Exception):
                connection.release()
            raise
        now = _now_us()
        return _Listening(connection, consumer, now, now, time.monotonic())

    def _connected(self, heard_us: int | None, cause: str) -> Outage | None:
        """Connects with backoff; what was missed when we had been connected before."""
        began, failures = time.monotonic(), 0
        while True:
            try:
                self._open = self._listen()
            except ExternalError as error:
                failures += 1
                spread = random.uniform(0.7, 1.3)  # noqa: S311 - jitter
                pause = backoff(failures, first=0.1, longest=3.0, spread=spread)
                if not error.retryable or time.monotonic() - began + pause > PATIENCE:
                    raise
                time.sleep(pause)
                continue
            return None if heard_us is None else Outage(heard_us, self._open.since_us, cause)

    # -- reading --------------------------------------------------------------------------------

    def _forever(self, most: int, within: float) -> Iterator[EventBatch]:
        outage: Outage | None = None
        fresh = self._open is None
        if self._open is None:
            self._connected(None, "")
        while True:
            try:
                if not fresh:
                    self._fill(most, within)
            except ExternalError as error:
                outage = self._again(error)
            fresh = False
            yield self._batch(outage)
            outage = None

    def _again(self, error: ExternalError) -> Outage | None:
        last_us = self._open.heard_us if self._open is not None else _now_us()
        self.close()
        if not error.retryable:
            raise error
        return self._connected(last_us, f"The connection to the broker was lost ({error.message})")

    def _fill(self, most: int, within: float) -> None:
        opened = self._open
        if opened is None:
            raise Unreachable("the subscription was closed")
        deadline = time.monotonic() + within
        with self._broker.errors():
            while len(self._waiting) < most:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                before = len(self._waiting)
                self._read_events(opened.connection, min(left, _PAUSE if self._waiting else _STEP))
                if len(self._waiting) > before:
                    opened.heard_us = _now_us()
                    opened.checked = time.monotonic()
                elif self._waiting:
                    break  # a pause: what came is told now
            self._make_sure(opened)

    def _batch(self, outage: Outage | None) -> EventBatch:
        events, self._waiting = tuple(self._waiting), []
        strange, self._strange = self._strange, 0
        since = self._open.since_us if self._open is not None else _now_us()
        return EventBatch(events, _now_us(), since, outage, strange)

    @staticmethod
    def _read_events(connection: Any, seconds: float) -> None:
        with suppress(TimeoutError):
            connection.drain_events(timeout=max(seconds, 0.01))

    @staticmethod
    def _make_sure(opened: _Listening) -> None:
        """A half-open connection is silent for ever: ask it for a sign of life."""
        if time.monotonic() - opened.checked < _QUIET:
            return
        opened.checked = time.monotonic()
        transport = opened.connection.transport
        if opened.connection.supports_heartbeats:
            opened.connection.heartbeat_check(rate=1)
        elif hasattr(transport, "cycle"):
            opened.connection.default_channel.client.ping()
            transport.cycle.maybe_check_subclient_health()
        opened.heard_us = _now_us()

    def _take(self, message: Any) -> None:
        """Called for each message: an event, or a list of them."""
        try:
            body = message.body
            if message.content_type != "application/json":
                raise ValueError("not JSON")
            decoded = orjson.loads(body)
        except (ValueError, TypeError):
            self._strange += 1
            return
        for raw in decoded if isinstance(decoded, list) else (decoded,):
            event = event_of(raw)
            if event is None:
                self._strange += 1
            else:
                self._waiting.append(event)
