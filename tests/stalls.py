"""Ends a test run that goes on no more.

A test that hangs is ended by its own timeout (pyproject.toml). What is left is a worker of
pytest-xdist that hangs between two tests, or while it ends: nobody would ever be told which.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import pytest

LIMIT: Final = 1200.0
"""Seconds without a test that begins or ends. More than any single test is given."""
PAUSE: Final = 5.0


class StallGuard:
    """Plugin of the process that distributes tests: aborts its workers once nothing moves.

    An aborted worker writes the stack of each of its threads to stderr; pytest-xdist names the test
    it had in hand as failed and gives the others to a new worker.
    """

    def __init__(self, abort: Callable[[int], None], limit: float = LIMIT) -> None:
        self._abort = abort
        self._limit = limit
        self._running: set[str] = set()
        self._workers: set[int] = set()
        self._moved = time.monotonic()
        self._ended = threading.Event()

    def pytest_sessionstart(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._look, name="stalls", daemon=True).start()

    def pytest_sessionfinish(self) -> None:
        """Look no more."""
        self._ended.set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        """A worker has started."""
        self._workers.add(process_of(node))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker has ended; its number may soon belong to another process."""
        self._workers.discard(process_of(node))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self._running.add(nodeid)
        self._moved = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test has ended."""
        self._running.discard(nodeid)
        self._moved = time.monotonic()

    def look(self, now: float) -> None:
        """Abort every worker if nothing has moved for too long; each stall is acted on once."""
        if now - self._moved < self._limit:
            return
        self._moved = now
        begun = ", ".join(sorted(self._running)) or "no test"
        minutes = self._limit / 60
        sys.stderr.write(f"\nNo test began or ended for {minutes:g} min. Under way: {begun}\n")
        for pid in sorted(self._workers):
            self._abort(pid)

    def _look(self) -> None:
        while not self._ended.wait(PAUSE):
            self.look(time.monotonic())


def process_of(node: Any) -> int:
    """The process that a worker's controller has started. No public name leads there."""
    pid: int = node.gateway._io.popen.pid
    return pid


def abort(pid: int) -> None:
    """SIGABRT, at which pytest's faulthandler writes the stacks of a process."""
    try:
        os.kill(pid, signal.SIGABRT)
    except ProcessLookupError:
        return
