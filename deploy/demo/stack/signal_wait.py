"""A pause that any signal ends at once, the death of a child among them."""

from __future__ import annotations

import select
import signal
import socket
from types import TracebackType
from typing import Self

_AT_ONCE = 4096


class SignalWait:
    """While it is entered, `wait` returns as soon as the process gets a signal that it handles, or
    a child of it ends. For the main thread alone."""

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0)
        self._writer.settimeout(0)
        # What is left as it was by default wakes nobody up.
        self._child_handler = signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGCHLD, self._child_handler)
        self._reader.close()
        self._writer.close()

    def wait(self, seconds: float) -> bool:
        """Until a signal, at most so long; whether one came. One since the last wait counts."""
        if not select.select([self._reader], [], [], seconds)[0]:
            return False
        self._reader.recv(_AT_ONCE)
        return True
