"""Reading the events that a keeper keeps in a stream of a Redis."""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import orjson

from console.clients.celery import keeping
from console.clients.celery.connection import Broker
from console.clients.celery.event_values import EventsRead, events_of
from console.clients.celery.keeping import StreamToKeep
from console.clients.celery.kept_events import (
    BEGINNING,
    MOST_BYTES,
    MOST_SECONDS,
    State,
    StreamPosition,
    broker_ms,
    entry_number,
    following,
    now_us,
    position_of,
    state_key,
    text_of,
    unpacked,
)
from console.clients.celery.records import MessagesRead, Outage, UnreadableEvent
from console.unstructured import mapping, number, whole

_ENTRIES: Final = 200
"""Entries that are read at once."""
_PAUSE: Final = 0.05
"""Seconds of silence behind the last event, after which a batch is told."""
_MARK: Final = 5.0
"""Seconds between two looks at the state of the stream, which say to keepers that it is read."""
_TRIM: Final = 1.0
_REMEMBERED: Final = 20_000
"""Messages by which it is known that one comes again: two keepers may have heard it."""
GONE: Final = "The broker's events were not being read, and the broker no longer had them"
READ_ELSEWHERE: Final = (
    "Another Headroom with the same data read the broker's events, and took them"
)
TOO_MANY: Final = (
    f"More events waited than are kept ({MOST_SECONDS // 60} min, {MOST_BYTES // 2**20} MiB):"
    " the oldest were dropped"
)


class RedisEvents:
    """One reader's view of a stream, from a position on."""

    def __init__(self, broker: Broker, wanted: StreamToKeep, connection: Any) -> None:
        """`connection` is open."""
        self._broker = broker
        self._wanted = wanted
        self._connection = connection
        self._client = connection.default_channel._create_client()
        self._at = StreamPosition("", BEGINNING)
        self._last_us = 0
        self._stored = ""
        self._trimmed = self._marked = 0.0
        self._known: set[int] = set()
        self._order: deque[int] = deque()
        self._began = False

    def begin(self, position: str, at_us: int) -> tuple[Outage, ...]:
        """Has the events kept and goes to where a reader stopped, who had heard everything until
        `at_us` (0: there was none); what is missing since."""
        keeping.keep(self._wanted)
        state = self._mark()
        self._last_us = at_us
        before = position_of(position)
        if before is not None and before.epoch == state.epoch:
            self._at = before
            self._trimmed = 0.0
            self._stored = before.id
            return self._cut(state)
        self._at = StreamPosition(state.epoch, BEGINNING)
        since_us = state.number("since")
        if not at_us or since_us <= at_us:
            return ()
        return (Outage(at_us, since_us, GONE),)

    def stored(self, position: str) -> None:
        """What came until there is stored: the broker need not keep it any more."""
        at = position_of(position)
        if at is not None and at.epoch == self._at.epoch:
            self._stored = at.id

    def read(self, most: int, within: float) -> MessagesRead:
        """What came, after `within` seconds at the latest."""
        deadline = time.monotonic() + within
        read = MessagesRead([], [], [], str(self._at))
        with self._broker.errors():
            self._maintain(read)
            while not read.is_full(most):
                wait = deadline - time.monotonic()
                if wait <= 0:
                    break
                entries = self._entries(min(wait, _PAUSE) if read.events else wait)
                for entry, fields in entries:
                    self._take(text_of(entry), fields, read)
                    if read.is_full(most):
                        break
                if not entries and read.events:
                    break  # a pause: what came is told now
                read.caught_up = len(entries) < _ENTRIES and not read.is_full(most)
        read.position = str(self._at)
        read.at_us = now_us() if read.caught_up else self._last_us
        return read

    def close(self) -> None:
        """The events are kept on."""
        with suppress(Exception):
            self._connection.release()

    def delete(self) -> None:
        """Nobody wants them any more."""
        keeping.drop(self._wanted.key)
        with self._broker.errors():
            stream = self._wanted.stream
            self._client.delete(stream, state_key(stream))

    # -- entries ----------------------------------------------------------------------------------

    def _entries(self, wait: float) -> list[tuple[Any, Mapping[bytes, bytes]]]:
        stream = self._wanted.stream
        block = max(int(wait * 1000), 1)
        answer = self._client.xread({stream: self._at.id}, count=_ENTRIES, block=block)
        if isinstance(answer, dict):  # as the newer protocol says it
            return [entry for entries in answer.values() for part in entries for entry in part]
        return [entry for _, entries in answer or () for entry in entries]

    def _take(self, entry: str, fields: Mapping[bytes, bytes], read: MessagesRead) -> None:
        self._at = StreamPosition(self._at.epoch, entry)
        heard_us = whole(text_of(fields.get(b"at", b""))) or now_us()
        self._last_us = max(self._last_us, heard_us)
        read.outages += _gap(fields.get(b"gap", b""))
        for message in unpacked(fields.get(b"messages", b"")):
            read.size += len(message)
            if self._is_new(message):
                events, unreadable = _events(message, heard_us)
                read.events += events
                read.unreadable += unreadable

    def _is_new(self, message: bytes) -> bool:
        name = hash(message)
        if name in self._known:
            return False
        self._known.add(name)
        self._order.append(name)
        if len(self._order) > _REMEMBERED:
            self._known.discard(self._order.popleft())
        return True

    # -- the state --------------------------------------------------------------------------------

    def _maintain(self, read: MessagesRead) -> None:
        clock = time.monotonic()
        if self._stored and clock - self._trimmed > _TRIM:
            self._trimmed = clock
            stream, done = self._wanted.stream, {"done": self._stored, "done_at": self._last_us}
            pipe = self._client.pipeline(transaction=False)
            pipe.hset(state_key(stream), mapping=done)
            pipe.xtrim(stream, minid=following(self._stored), approximate=False)
            pipe.execute()
            self._stored = ""
        if clock - self._marked > _MARK:
            if not keeping.is_kept(self._wanted):
                keeping.keep(self._wanted)
            state = self._mark()
            if state.epoch != self._at.epoch:
                # Somebody emptied the broker while we read: what waited is gone.
                since_us = state.number("since") or now_us()
                read.outages.append(Outage(min(self._last_us, since_us), since_us, GONE))
                self._at = StreamPosition(state.epoch, BEGINNING)
            else:
                read.outages += self._cut(state)

    def _mark(self) -> State:
        """Says that the stream is read; its state."""
        self._marked = time.monotonic()
        key = state_key(self._wanted.stream)
        with self._broker.errors():
            self._client.hset(key, "read", broker_ms(self._client.time()))
            return State(self._client.hgetall(key))

    def _cut(self, state: State) -> tuple[Outage, ...]:
        """The times of which events were dropped before we read them: by a keeper, or by another
        reader that had stored them elsewhere (a copy of our database)."""
        outages = []
        for name, cause in (("cut", TOO_MANY), ("done", READ_ELSEWHERE)):
            dropped, mine = state.entry(name), entry_number(self._at.id)
            if dropped and mine is not None and mine < (entry_number(dropped) or mine):
                until_us = state.number(f"{name}_at")
                self._at = StreamPosition(self._at.epoch, dropped)
                outages.append(Outage(min(self._last_us or until_us, until_us), until_us, cause))
        return tuple(outages)


def _gap(value: bytes) -> Iterator[Outage]:
    with suppress(ValueError):
        gap = mapping(orjson.loads(value))
        from_us, to_us = whole(gap.get("from")), whole(gap.get("to"))
        if from_us is not None and to_us is not None:
            yield Outage(from_us, max(from_us, to_us), str(gap.get("cause"))[:300])


def _events(value: bytes, heard_us: int) -> EventsRead:
    """The events of a message as kombu publishes it: JSON around a body that is mostly base64."""
    message: dict[str, Any] = {}
    try:
        message = mapping(orjson.loads(value))
        body = message["body"]
        if mapping(message.get("properties")).get("body_encoding") == "base64":
            body = base64.b64decode(body)
        if not isinstance(body, str | bytes):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        return EventsRead([], [UnreadableEvent("", "", "", _no_message(message))])
    return events_of(body, heard_us, str(message.get("content-type")))


def _no_message(message: Mapping[str, Any]) -> str:
    size = number(message.get("too_large"))
    if size is not None:
        return f"a message of {size:,.0f} bytes, which is not kept"
    return "no message as Celery sends them"
