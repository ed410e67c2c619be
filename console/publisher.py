"""A thread that sends messages, so that a broker which hangs holds nobody who has one to send.

A message is sent once or not at all: nothing here repeats it, and one that was given up before its
turn came is not sent later.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Final

STUCK_SECONDS: Final = 0.5
"""A message that has been under way for so long keeps the next ones from being waited for."""


class BrokerHangs(Exception):
    """The message could not be handed to the broker in time; it may still arrive."""


class _Message:
    """One message on its way. `taken` turns true when it is sent, or given up: whoever is first."""

    def __init__(self, send: Callable[[], object]) -> None:
        self._run: Any = copy_context().run
        self._send = send
        self._lock = threading.Lock()
        self._taken = False
        self.settled = threading.Event()
        self.error: Exception | None = None

    def take(self) -> bool:
        """Whether it is still there to be sent or given up."""
        with self._lock:
            taken, self._taken = self._taken, True
            return not taken

    def send(self) -> None:
        """Sends it, as whoever had it sent."""
        try:
            self._run(self._send)
        except Exception as error:  # noqa: BLE001 - raised where it was handed in
            self.error = error
        finally:
            self.settled.set()


class Publisher:
    """One thread of this process, started with the first message; a fork gets its own."""

    def __init__(self) -> None:
        self._start_anew()
        os.register_at_fork(after_in_child=self._start_anew)

    def _start_anew(self) -> None:
        self._lock = threading.Lock()
        self._messages: SimpleQueue[_Message] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._since: float | None = None

    def publish(self, send: Callable[[], object], *, within: float) -> None:
        """Has `send` called, and waits at most `within` seconds for it. Raises what it raises, and
        BrokerHangs when it has not come back by then."""
        since = self._since
        if since is not None and time.monotonic() - since > STUCK_SECONDS:
            raise BrokerHangs("the broker has not taken the last message yet")
        message = _Message(send)
        self._ensure_thread()
        self._messages.put(message)
        if not message.settled.wait(within):
            message.take()
            raise BrokerHangs(f"the broker did not take it within {within:.2g} s")
        if message.error is not None:
            raise message.error

    def _ensure_thread(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._work, args=(self._messages,), name="publisher", daemon=True
                )
                self._thread.start()

    def _work(self, messages: SimpleQueue[_Message]) -> None:
        while True:
            message = messages.get()
            if message.take():
                self._since = time.monotonic()
                message.send()
                self._since = None


publisher: Final = Publisher()
