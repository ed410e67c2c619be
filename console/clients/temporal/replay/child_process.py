"""The process that replays, from outside: its pipes, its bounds, its end.

A bundle runs in it, so whatever comes back may be anything, and it may do anything to its pipes and
to its directory: each call here comes back in its time, and `kill` leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

from console.clients.temporal.replay.own_directory import OwnDirectory, content

_ROOT: Final = Path(__file__).resolve().parents[4]
_START: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from console.clients.temporal.replay.child import main; main()"
)
_TAIL: Final = 2000
LONGEST_ANSWER: Final = 1 << 20
_EXAMINED_EVERY: Final = 0.5
"""Seconds. What no limit of the kernel bounds is bounded by looking at it so often."""
MOST_BYTES: Final = 256 << 20
MOST_FILES: Final = 2000
MOST_THREADS: Final = 256

Answer = dict[str, Any]
Accept = Callable[[bytes], Answer | None]


class ChildProcess:
    """The process, its pipes, and the last words of its error output."""

    def __init__(self, job: Mapping[str, Any], seconds: float) -> None:
        """Starts it and hands over the job (see child.py), within that time."""
        self._home = OwnDirectory()
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, str(_ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(writing,),
                cwd=self._home.path,
                # Nothing of ours: what the console is told by its environment is secret.
                env={
                    "LANG": "C.UTF-8",
                    "TZ": "UTC",
                    "MALLOC_ARENA_MAX": "2",
                    "TMPDIR": str(self._home.path),
                },
                start_new_session=True,
            )
        finally:
            os.close(writing)
        self._answers = reading
        self._buffer = b""
        self._killed = False
        self._words = b""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        os.set_blocking(self._process.stdin.fileno(), False)
        self._write(json.dumps({**job, "answers": writing}).encode() + b"\n", seconds)

    @property
    def running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    @property
    def processor_seconds(self) -> float:
        """What all its threads have used of the processors; 0 where nobody can tell."""
        fields = self._statistics()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") if fields else 0.0

    def ask(self, workflow_id: str, document: bytes, seconds: float) -> None:
        """Hands over one history, or as much of it as is taken in that time."""
        head = {"id": 0, "workflow_id": workflow_id, "size": len(document)}
        self._write(json.dumps(head).encode() + b"\n" + document, seconds)

    def answer(self, seconds: float, accept: Accept) -> Answer | None:
        """The next answer; None when it did not come in time, `accept` makes nothing of it, or the
        process is gone. Whatever a bundle does to its pipes ends here, within the time."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._buffer and len(self._buffer) < LONGEST_ANSWER:
                if not self._wait(selector, deadline):
                    return None
                piece = os.read(self._answers, 65536)
                if not piece:
                    # Gone, or it has closed its end and goes on.
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self._process.wait(timeout=max(deadline - time.monotonic(), 0))
                    return None
                self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        message = accept(line)
        if message is None:
            self._end_it("it wrote something that is no answer")
        return message

    def kill(self) -> None:
        """Ends the process with all that it has started, and frees everything."""
        self._killed = self.running
        # It leads a group that nothing in it can leave: see system_calls.py.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._listener.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        os.close(self._answers)
        self._home.remove()

    def end(self, seconds: float) -> str:
        """How it ended, for people; after `kill`."""
        if self._killed:
            return f"It took longer than {seconds:g} s and was stopped."
        status = self._process.returncode
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        words = storable(self._words.decode("utf-8", "replace").strip())
        return f"The process ended with {how}{': ' if words else '.'}{words}"

    def _wait(self, selector: selectors.BaseSelector, deadline: float) -> bool:
        """Whether there is something to be read; not when the time is over, nor when it was ended
        because it took more than it may."""
        while not selector.select(min(max(deadline - time.monotonic(), 0), _EXAMINED_EVERY)):
            if excess := self._excess():
                self._end_it(excess)
                return False
            if time.monotonic() >= deadline:
                return False
        return True

    def _excess(self) -> str:
        """What it has more of than it may; empty for nothing."""
        size, files = content(self._home.path, at_most=MOST_FILES)
        if size > MOST_BYTES:
            return f"it wrote more than {MOST_BYTES >> 20} MiB into its directory"
        if files > MOST_FILES:
            return f"it made more than {MOST_FILES} files"
        fields = self._statistics()
        if fields and int(fields[17]) > MOST_THREADS:
            return f"it started more than {MOST_THREADS} threads"
        return ""

    def _statistics(self) -> list[str]:
        """proc(5), /proc/PID/stat from its third field on; empty where there is none."""
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return []
        return text.rpartition(")")[2].split()

    def _end_it(self, why: str) -> None:
        self._process.kill()
        self._process.wait()
        self._words = why.encode()

    def _write(self, data: bytes, seconds: float) -> None:
        """Writes until all is taken or the time is over; a process that died or stands still does
        not read, and `answer` then says so."""
        pipe: IO[bytes] | None = self._process.stdin
        if pipe is None:
            return
        deadline, left = time.monotonic() + seconds, memoryview(data)
        with selectors.DefaultSelector() as selector, contextlib.suppress(BrokenPipeError):
            selector.register(pipe, selectors.EVENT_WRITE)
            while left and selector.select(max(deadline - time.monotonic(), 0)):
                with contextlib.suppress(BlockingIOError):
                    left = left[os.write(pipe.fileno(), left[:65536]) :]

    def _listen(self) -> None:
        pipe = self._process.stderr
        if pipe is None:
            return
        with contextlib.suppress(OSError, ValueError):
            while piece := os.read(pipe.fileno(), 65536):
                self._words = (self._words + piece)[-_TAIL:]


def storable(value: Any, longest: int = _TAIL) -> str:
    """What a bundle says, as text that can be stored: no NUL, no half of a surrogate pair."""
    cut = str(value)[:longest].replace("\0", "\ufffd")
    return cut.encode("utf-8", "replace").decode()
