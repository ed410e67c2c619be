"""Having the events of a Redis kept: starts the keeper of this process and tells it what to keep.

See keeper.py for what it does, and why it is a process that outlives this one.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from console.clients import allowance
from console.errors import ExternalError, Refused, Unreachable

ROOT: Final = Path(__file__).resolve().parents[3]
START: Final = 30.0
"""Seconds that a keeper gets to begin, on a machine that is busy."""


@dataclass(frozen=True, slots=True)
class StreamToKeep:
    """What is to be kept: the events of `exchange` on a broker, in `stream`. `key` names it in this
    process; `endpoint` and `credential` are as a Broker takes them."""

    key: str
    stream: str
    endpoint: str
    credential: str
    timeout: float
    exchange: str


class _Process:
    """A keeper that runs, and what it last said of each key."""

    def __init__(self) -> None:
        self.pid_of_parent = os.getpid()
        self.words: dict[str, dict[str, Any]] = {}
        self.news = threading.Condition()
        self.wanted: dict[str, StreamToKeep] = {}
        self._child = subprocess.Popen(
            [sys.executable, "-m", "console.clients.celery.keeper"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # whoever waits for the end of ours does not wait for it
            start_new_session=True,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self._child.stdout,), daemon=True).start()

    def runs(self) -> bool:
        """Whether it is there, and ours."""
        return self.pid_of_parent == os.getpid() and self._child.poll() is None

    def keeps(self, wanted: StreamToKeep) -> bool:
        """Whether it was told to keep that, and has not given it up."""
        ended = self.words.get(wanted.key, {}).get("ended")
        return self.wanted.get(wanted.key) == wanted and not ended

    def keep(self, wanted: StreamToKeep) -> None:
        """Has it keep that, with what a credential may name in this process."""
        self.wanted[wanted.key] = wanted
        self.order(keep=asdict(wanted), allowed=allowance.current().as_json())

    def order(self, **words: Any) -> None:
        """A line to it."""
        if self._child.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                self._child.stdin.write(json.dumps(words) + "\n")
                self._child.stdin.flush()

    def _listen(self, lines: IO[str]) -> None:
        for line in lines:
            with contextlib.suppress(ValueError):
                words = json.loads(line)
                with self.news:
                    self.words[words["key"]] = words
                    self.news.notify_all()
        with self.news:
            self.news.notify_all()


_lock = threading.Lock()
_process: _Process | None = None


def keep(wanted: StreamToKeep) -> None:
    """Has it kept from now on, if it is not yet. Raises ExternalError when the broker cannot be
    used."""
    with _lock:
        process = _running()
        if not process.keeps(wanted):
            process.order(drop=wanted.key)
            process.words.pop(wanted.key, None)
            process.keep(wanted)
    _wait(process, wanted)


def is_kept(wanted: StreamToKeep) -> bool:
    """Whether our keeper runs and was told to keep it."""
    process = _process
    return process is not None and process.runs() and process.keeps(wanted)


def drop(key: str) -> None:
    """Has it kept no more by us; another process may."""
    with _lock:
        if _process is not None and _process.runs() and key in _process.wanted:
            del _process.wanted[key]
            _process.order(drop=key)


def end() -> None:
    """Ends our keeper now, instead of leaving it behind. The next `keep` starts another one."""
    global _process
    with _lock:
        if _process is not None and _process.runs():
            _process.order(end=True)
        _process = None


def _running() -> _Process:
    global _process
    if _process is None or not _process.runs():
        wanted = {} if _process is None else _process.wanted
        _process = _Process()
        for other in wanted.values():  # it was killed: the others go on, too
            _process.keep(other)
    return _process


def _wait(process: _Process, wanted: StreamToKeep) -> None:
    """Until it listens. Raises what it says instead."""
    deadline = time.monotonic() + START + wanted.timeout
    with process.news:
        while True:
            words = process.words.get(wanted.key, {})
            if "listening" in words:
                return
            if "error" in words:
                process.words.pop(wanted.key)  # the next try is told anew
                raise _error(words)
            left = deadline - time.monotonic()
            if left <= 0 or not process.runs():
                raise Unreachable("the process that keeps the events did not begin in time")
            process.news.wait(min(left, 1.0))


def _error(words: dict[str, Any]) -> ExternalError:
    message, code = str(words["error"]), str(words.get("code") or "")
    if words.get("retryable"):
        return Unreachable(message)
    return Refused(message, code=code) if code else Refused(message)


def _forget_after_fork() -> None:
    global _lock, _process
    _lock = threading.Lock()
    _process = None


os.register_at_fork(after_in_child=_forget_after_fork)
