"""Reading the task events of one broker: fast, in batches, for as long as anybody asks.

The broker keeps them meanwhile, in a queue of ours that has a name: whoever reads after a reader
was killed goes on where the last stored batch ended. See redis_events.py and amqp_events.py for
how, and for how much is kept.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Final, Protocol

from console.backoff import backoff
from console.clients.celery import keeping
from console.clients.celery.amqp_events import AmqpEvents
from console.clients.celery.connection import Broker
from console.clients.celery.keeping import StreamToKeep
from console.clients.celery.kept_events import now_us
from console.clients.celery.records import EventBatch, MessagesRead, Outage
from console.clients.celery.redis_events import RedisEvents
from console.errors import ExternalError, Unreachable

EXCHANGE: Final = "celeryev"
LINGER: Final = 30.0
"""Seconds for which a connection stays open for the next reader of this process."""
PATIENCE: Final = 20.0
"""Seconds for which a lost broker is tried again before whoever reads is told."""


class _Reader(Protocol):
    """One open connection that reads events."""

    def begin(self, position: str, at_us: int) -> tuple[Outage, ...]: ...

    def stored(self, position: str) -> None: ...

    def read(self, most: int, within: float) -> MessagesRead: ...

    def close(self) -> None: ...

    def delete(self) -> None: ...


class EventStream:
    """The events of one broker. One reader at a time."""

    def __init__(self, broker: Broker, *, exchange: str = EXCHANGE) -> None:
        """Nothing is connected yet."""
        self._broker = broker
        self._exchange = exchange
        self._open: _Reader | None = None
        self.queue = ""
        """What the broker calls what was read last."""
        self._position = ""
        self._at_us = 0
        self._needs_no_keeper = False
        self._reading = threading.Lock()
        self._closing: threading.Timer | None = None

    def batches(
        self,
        *,
        queue: str,
        position: str = "",
        at_us: int = 0,
        most: int = 2000,
        within: float = 1.0,
    ) -> Generator[EventBatch, None, None]:
        """Batches of up to about `most` events, each closed after `within` seconds at the latest
        (so an empty one comes when nothing happens), or when nothing came for a moment, for ever.

        `queue` is what the broker calls what it keeps for this reader and those that follow it.
        Everything until `position` (empty: from now on) and `at_us` was stored before; what is
        stored while this goes on is said by `stored`. A lost broker is tried again with backoff for
        `PATIENCE` seconds; then ExternalError. Stopping to iterate keeps the connection for
        `LINGER` seconds, and the queue until `delete`.
        """
        if not self._reading.acquire(blocking=False):
            raise Unreachable("somebody else in this process reads these events")
        try:
            self._stay()
            yield from self._forever(queue, position, at_us, most, within)
        finally:
            self._leave_soon()
            self._reading.release()

    def stored(self, position: str) -> None:
        """Everything until there is stored: the broker need not keep it any more."""
        if self._open is not None:
            self._open.stored(position)

    def keep(self, queue: str) -> None:
        """Has events kept for a reader elsewhere: a second keeper loses nothing with the first.
        Raises ExternalError."""
        if self._needs_no_keeper or keeping.is_kept(self._wanted(queue)):
            return
        with self._broker.connected() as connection:
            self._needs_no_keeper = not _keeps_nothing(connection)
        if not self._needs_no_keeper:
            keeping.keep(self._wanted(queue))

    def delete(self, queue: str) -> None:
        """Has the broker keep nothing any more. Raises ExternalError."""
        self.close()
        reader = self._reader(queue)
        try:
            reader.delete()
        finally:
            reader.close()

    def close(self) -> None:
        """Closes the connection; the broker keeps on."""
        self._stay()
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()

    # -- the life of the connection -----------------------------------------------------------

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

    def _wanted(self, queue: str) -> StreamToKeep:
        broker = self._broker
        return StreamToKeep(
            key=queue,
            stream=queue,
            endpoint=broker.endpoint,
            credential=broker.credential,
            timeout=broker.timeout,
            exchange=self._exchange,
        )

    def _reader(self, queue: str) -> _Reader:
        connection = self._broker.connection()
        try:
            with self._broker.errors():
                if _keeps_nothing(connection):
                    return RedisEvents(self._broker, self._wanted(queue), connection)
                return AmqpEvents(
                    self._broker, exchange=self._exchange, queue=queue, connection=connection
                )
        except BaseException:
            with suppress(Exception):
                connection.release()
            raise

    def _begin(self, queue: str, position: str, at_us: int) -> tuple[Outage, ...]:
        """Connects with backoff; what is missing since `at_us`."""
        began, failures = time.monotonic(), 0
        while True:
            try:
                reader = self._reader(queue)
                try:
                    outages = reader.begin(position, at_us)
                except BaseException:
                    reader.close()
                    raise
            except ExternalError as error:
                failures += 1
                spread = random.uniform(0.7, 1.3)  # noqa: S311 - jitter
                pause = backoff(failures, first=0.1, longest=3.0, spread=spread)
                if not error.retryable or time.monotonic() - began + pause > PATIENCE:
                    raise
                time.sleep(pause)
                continue
            self._open, self.queue = reader, queue
            return outages

    # -- reading ------------------------------------------------------------------------------

    def _forever(
        self, queue: str, position: str, at_us: int, most: int, within: float
    ) -> Iterator[EventBatch]:
        outages: tuple[Outage, ...] = ()
        if self._open is not None and (queue, position) != (self.queue, self._position):
            self.close()  # what was read last was not stored: it is read again
        if self._open is None:
            outages = self._begin(queue, position, at_us)
            self._position, self._at_us = position, at_us or now_us()
            yield EventBatch((), self._at_us, position, caught_up=False, outages=outages)
        while True:
            if self._open is None:
                raise Unreachable("the connection was closed")
            try:
                read = self._open.read(most, within)
            except ExternalError as error:
                self.close()
                if not error.retryable:
                    raise
                cause = f"The connection to the broker was lost ({error.message})"
                missing = self._begin(queue, self._position, self._at_us)
                outages = self._open_again(missing, cause)
                yield EventBatch((), self._at_us, self._position, caught_up=False, outages=outages)
                continue
            self._position, self._at_us = read.position, max(read.at_us, self._at_us)
            yield EventBatch(
                tuple(read.events),
                self._at_us,
                self._position,
                read.caught_up,
                tuple(read.outages),
                tuple(read.unreadable),
            )

    def _open_again(self, missing: tuple[Outage, ...], cause: str) -> tuple[Outage, ...]:
        """What may be missing after the connection was lost. An AMQP broker that was started again
        has lost the messages that its queue held in memory, and does not say so."""
        if missing or isinstance(self._open, RedisEvents):
            return missing
        return (Outage(self._at_us, max(now_us(), self._at_us), cause),)


def _keeps_nothing(connection: object) -> bool:
    """Whether the broker's event exchange has no queues."""
    return bool(connection.transport.driver_type == "redis")  # type: ignore[attr-defined]  # kombu's
