"""The keeper: a small process that listens to the events of a Redis and keeps them for readers.

`python -m console.clients.celery.keeper`: a line of JSON on its input says what to keep (see
keeping.py, which starts it), lines on its output say what became of it. It is a process of its own,
in a session of its own, so that it outlives a reader that is killed: then it goes on until another
keeper listens, or nobody has read for MOST_SECONDS.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final
from uuid import uuid4

from console import linux
from console.backoff import backoff
from console.clients import allowance
from console.clients.allowance import Allowance
from console.clients.celery.connection import Broker
from console.clients.celery.keeper_books import SETTLED_MS, Books
from console.clients.celery.kept_events import (
    FORGOTTEN,
    MOST_MESSAGE,
    MOST_SECONDS,
    State,
    now_us,
    packed,
)
from console.errors import ExternalError, Unreachable

BEAT: Final = 1.0
ABANDONED: Final = 5.0
"""Seconds without a broker after which a keeper without a parent ends."""
_TOGETHER: Final = 200
_TOGETHER_BYTES: Final = 256 * 1024


def log(**fields: Any) -> None:
    """A line for whoever started us, if it is still there."""
    with suppress(OSError, ValueError):
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()


class Keeping(threading.Thread):
    """Keeps the events of one app until it is told to stop, or nobody needs it any more."""

    def __init__(self, wanted: Mapping[str, Any], orphaned: threading.Event) -> None:
        super().__init__(name=f"keep-{wanted['key']}", daemon=True)
        self.key = str(wanted["key"])
        self.stream = str(wanted["stream"])
        self.stopping = threading.Event()
        self.dropped = False
        self._broker = Broker(
            wanted["endpoint"], credential=wanted["credential"], timeout=wanted["timeout"]
        )
        self._exchange = str(wanted["exchange"])
        self._orphaned = orphaned
        self._id = uuid4().hex
        self._began = self._listened = time.monotonic()
        self._failures = 0
        self._cause = "No keeper listened"
        self._unwritten: list[bytes] = []
        self._expires = False

    def run(self) -> None:
        """The thread."""
        while self._needed():
            try:
                with self._broker.connected() as connection:
                    self._keep(connection)
                    return
            except ExternalError as error:
                self._failures += 1
                self._cause = f"The connection to the broker was lost ({error.message})"
                log(key=self.key, error=error.message, code=error.code, retryable=error.retryable)
                away = time.monotonic() - self._listened
                if self._orphaned.is_set() and away > ABANDONED:
                    return
                pause = backoff(self._failures, first=0.1, longest=3.0, spread=_spread())
                self.stopping.wait(pause)
            except Exception as error:  # noqa: BLE001 - the other streams go on
                log(key=self.key, error=f"{type(error).__name__}: {error}", ended=True)
                return

    def _needed(self) -> bool:
        return not self.stopping.is_set()

    # -- one connection -------------------------------------------------------------------------

    def _keep(self, connection: Any) -> None:
        channel = connection.default_channel
        client = channel._create_client()
        bases = channel._get_publish_topics(self._exchange, "")
        listening = client.pubsub()
        self._flush(client)
        try:
            listening.psubscribe(*(f"{base}/*" for base in bases))
            listening.subscribe(*bases)
            self._confirmed(listening, 2 * len(bases))
            books = Books(client, self.stream, self._id)
            books.open(self._exchange)
            log(key=self.key, listening=now_us())
            while self._needed():
                self._take(listening, client)
                if books.is_due() and not self._beat(books):
                    break
            books.leave(self._cause, dropped=self.dropped)
        finally:
            with suppress(Exception):
                listening.close()

    def _confirmed(self, listening: Any, number: int) -> None:
        """Waits until the broker says that we are subscribed."""
        deadline = time.monotonic() + self._broker.timeout
        while number > 0:
            message = listening.get_message(timeout=max(deadline - time.monotonic(), 0.01))
            if message is None:
                if time.monotonic() > deadline:
                    raise Unreachable("the broker did not confirm the subscription in time")
            elif not isinstance(data := message.get("data"), bytes):
                number -= 1
            elif self._has_room():
                self._unwritten.append(_bounded(data))
            else:
                raise Unreachable("the broker takes no events from us, and too many wait for it")

    def _beat(self, books: Books) -> bool:
        """Gives a sign, and tells what nobody heard; False when we are not needed any more."""
        orphaned = self._orphaned.is_set()
        state = books.beat(has_parent=not orphaned)
        self._listened, self._failures = time.monotonic(), 0
        if not books.proven:
            books.prove(state, self._cause)
        if not state.epoch and not orphaned:
            books.make()  # somebody emptied the broker
        return not (orphaned and self._relieved(state))

    def _take(self, listening: Any, client: Any) -> None:
        """Waits a moment for messages and adds what came."""
        messages, wait = self._unwritten, BEAT
        while self._has_room() and (message := listening.get_message(timeout=wait)) is not None:
            wait = 0.0
            if isinstance(data := message.get("data"), bytes):
                messages.append(_bounded(data))
        self._flush(client)

    def _has_room(self) -> bool:
        """Whether more is to be added together. What cannot be added waits with the broker, which
        hangs up when that is too much: then it is told as missing."""
        waiting = self._unwritten
        return len(waiting) < _TOGETHER and sum(map(len, waiting)) < _TOGETHER_BYTES

    def _flush(self, client: Any) -> None:
        """Adds what came."""
        if self._unwritten:
            self._add(client, packed(self._unwritten))
            self._unwritten.clear()

    def _add(self, client: Any, messages: bytes) -> None:
        """Again until it is there: a broker whose memory is full may have room in a while."""
        failures = 0
        while True:
            try:
                client.xadd(self.stream, {"at": now_us(), "messages": messages})
                if not self._expires:
                    self._expires = bool(client.expire(self.stream, FORGOTTEN))
                return
            except Exception as error:
                if type(error).__name__ not in {"OutOfMemoryError", "BusyLoadingError"}:
                    raise
                failures += 1
                if self.stopping.wait(backoff(failures, first=0.1, longest=2.0)):
                    raise

    def _relieved(self, state: State) -> bool:
        """Whether a keeper with a parent listens for long enough by now, or nobody reads any more.
        Then we are not needed."""
        now = state.number("now")
        others = any(
            keeper != self._id and sign.has_parent
            and now - sign.at < SETTLED_MS and now - sign.since > SETTLED_MS
            for keeper, sign in state.keepers().items()
        )  # fmt: skip
        age = int((time.monotonic() - self._began) * 1000)
        unread = min(now - state.number("read"), age)
        return others or not state.epoch or unread > MOST_SECONDS * 1000


def _bounded(data: bytes) -> bytes:
    """A message, or what is kept of one that is too large."""
    return data if len(data) <= MOST_MESSAGE else json.dumps({"too_large": len(data)}).encode()


def _spread() -> float:
    return random.uniform(0.7, 1.3)  # noqa: S311 - jitter


def main() -> None:
    """Keeps what the lines say, until all that is kept is needed no more."""
    linux.forbid_inspection()
    orphaned = threading.Event()
    kept: dict[str, Keeping] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if "keep" in order:
            wanted = order["keep"]
            allowance.configure(partial(Allowance.from_json, order["allowed"]))
            kept[wanted["key"]] = Keeping(wanted, orphaned)
            kept[wanted["key"]].start()
        elif thread := kept.pop(order.get("drop", ""), None):
            thread.dropped = True
            thread.stopping.set()
        elif "end" in order:
            for thread in kept.values():
                thread.stopping.set()
            break
    orphaned.set()
    for thread in kept.values():
        thread.join()
    os._exit(0)  # no thread of a client is waited for


if __name__ == "__main__":
    main()
