"""Reading events from a queue of our own on an AMQP broker, which keeps them while nobody reads."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import kombu

from console.clients.celery.connection import Broker
from console.clients.celery.event_values import events_of
from console.clients.celery.kept_events import now_us
from console.clients.celery.records import MessagesRead, Outage
from console.numbers import whole_number

MOST_MESSAGES: Final = 100_000
"""Messages that wait for a reader; then the oldest are dropped."""
EXPIRES: Final = 86_400.0
"""Seconds without a reader after which the broker removes the queue."""
_UNSTORED: Final = 5_000
"""Messages that the broker hands out before the first of them is stored."""
_NEARLY: Final = 0.98
_PAUSE: Final = 0.05
"""Seconds of silence behind the last event, after which a batch is told."""
_STEP: Final = 0.2
_QUIET: Final = 10.0
"""Seconds of silence after which we make sure that the connection is still one."""
GONE: Final = "The broker's events were not being read, and it no longer had a queue for them"
TOO_MANY: Final = (
    f"More than {MOST_MESSAGES:,} messages waited to be read: the broker dropped the oldest"
)


class AmqpEvents:
    """A consumer of the queue of one target. What is not stored is not acknowledged, so that the
    broker hands it to the next reader."""

    def __init__(self, broker: Broker, *, exchange: str, queue: str, connection: Any) -> None:
        """`connection` is open."""
        untyped: Any = kombu
        self._broker = broker
        self._connection = connection
        self._epoch = uuid4().hex[:12]
        self._read = MessagesRead([], [], [], "")
        self._tag = self._stored_tag = self._acknowledged = 0
        self._checked = time.monotonic()
        # Declared as Celery declares it.
        self._exchange = untyped.Exchange(exchange, type="topic", durable=True)
        self._queue = untyped.Queue(
            queue,
            exchange=self._exchange,
            routing_key="#",
            durable=True,
            auto_delete=False,
            exclusive=False,
            expires=EXPIRES,
            max_length=MOST_MESSAGES,
        )
        self._consumer: Any = None

    def begin(self, position: str, at_us: int) -> tuple[Outage, ...]:
        """Has the queue made where it is not there, and consumes it; what is missing since a reader
        had heard everything until `at_us` (0: there was none)."""
        del position  # what is not acknowledged comes again by itself
        with self._broker.errors():
            waiting = self._waiting()
            channel = self._connection.channel()
            channel.basic_qos(0, _UNSTORED, False)  # noqa: FBT003 - the protocol's own order
            untyped: Any = kombu
            self._consumer = untyped.Consumer(
                channel, [self._queue], on_message=self._take, accept=None
            )
            self._consumer.consume()
        if not at_us or (waiting is not None and waiting < MOST_MESSAGES * _NEARLY):
            return ()
        return (Outage(at_us, max(now_us(), at_us), GONE if waiting is None else TOO_MANY),)

    def stored(self, position: str) -> None:
        """What came until there is stored."""
        epoch, _, tag = position.partition("/")
        number = whole_number(tag)
        if epoch == self._epoch and number is not None:
            self._stored_tag = max(self._stored_tag, min(number, self._tag))

    def read(self, most: int, within: float) -> MessagesRead:
        """What came, after `within` seconds at the latest."""
        read = self._read = MessagesRead([], [], [], "")
        deadline = time.monotonic() + within
        with self._broker.errors():
            if self._stored_tag > self._acknowledged:
                self._consumer.channel.basic_ack(self._stored_tag, multiple=True)
                self._acknowledged = self._stored_tag
            while not read.is_full(most):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                before = self._tag
                with suppress(TimeoutError):
                    pause = _PAUSE if read.events else _STEP
                    self._connection.drain_events(timeout=max(min(left, pause), 0.01))
                if self._tag == before and read.events:
                    break  # a pause: what came is told now
            else:
                read.caught_up = False
            self._make_sure()
        read.position = f"{self._epoch}/{self._tag}"
        read.at_us = now_us()
        return read

    def close(self) -> None:
        """The broker keeps the queue, and what was not acknowledged."""
        with suppress(Exception):
            self._connection.release()

    def delete(self) -> None:
        """Nobody wants them any more."""
        with self._broker.errors(), suppress(*self._connection.channel_errors):
            self._connection.channel().queue_delete(self._queue.name)

    def _waiting(self) -> int | None:
        """How many messages wait; None where the queue is not there."""
        channel = self._connection.channel()
        try:
            return int(channel.queue_declare(self._queue.name, passive=True).message_count)
        except self._connection.channel_errors:
            return None
        finally:
            with suppress(Exception):
                channel.close()

    def _make_sure(self) -> None:
        """A half-open connection is silent for ever: ask it for a sign of life."""
        if time.monotonic() - self._checked > _QUIET:
            self._checked = time.monotonic()
            self._connection.heartbeat_check(rate=1)

    def _take(self, message: Any) -> None:
        """Called for each message: an event, or a list of them."""
        self._tag = max(self._tag, int(message.delivery_tag))
        body = message.body
        if not isinstance(body, str | bytes):
            body = bytes(body)
        self._read.size += len(body)
        events, unreadable = events_of(body, now_us(), str(message.content_type))
        self._read.events += events
        self._read.unreadable += unreadable
