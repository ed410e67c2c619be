"""Replaying histories in a process of their own that can be killed.

    with ReplayProcess(Bundle(paths=("/srv/bundles/flows-42",), modules=("flows",))) as process:
        outcome = process.replay("acme-invoice-7", document)

A history that takes too long costs the process, not the caller: the next call starts another.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final, Self

from console.errors import Refused

_ROOT: Final = Path(__file__).resolve().parents[4]
_START: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from console.clients.temporal.replay.child import main; main()"
)
_TAIL: Final = 2000
_LONGEST_NAME: Final = 100
LONGEST_ANSWER: Final = 1 << 20


class ReplayVerdict(StrEnum):
    """How a replay ended. `failed` is code that cannot run this history for another reason than
    non-determinism (no such workflow, an exception, a sandbox violation)."""

    DETERMINISTIC = "deterministic"
    DIVERGED = "diverged"
    FAILED = "failed"
    MALFORMED = "malformed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Workflow code: directories put in front of the import path, and the modules to import."""

    modules: tuple[str, ...]
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """`seconds` for one history, `start_seconds` for importing the bundle, `memory` in bytes of
    address space (the SDK alone takes about 600 MiB of it)."""

    seconds: float = 30.0
    start_seconds: float = 30.0
    memory: int = 2 << 30


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """How one replay ended. For a divergence `event_id` and `event_type` name the first event that
    the code would not have caused, `expected` says what it stands for, `actual` what the code
    would have done there; `event_id` 0 is behind the last event."""

    verdict: ReplayVerdict
    message: str = ""
    event_id: int = 0
    event_type: str = ""
    expected: str = ""
    actual: str = ""
    milliseconds: int = 0


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bundle holds. `isolated` is false where the system cannot take the network away."""

    workflows: tuple[str, ...]
    isolated: bool


class ReplayProcess:
    """One bundle in one process. Not for several threads at once."""

    def __init__(self, bundle: Bundle, bounds: Bounds | None = None) -> None:
        self._bundle = bundle
        self._bounds = bounds or Bounds()
        self._child: _Child | None = None
        self.contents: Contents | None = None

    def __enter__(self) -> Self:
        """Starts nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process."""
        self.close()

    def close(self) -> None:
        """Kills the process, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def start(self) -> Contents:
        """Imports the bundle. Raises Refused (`bundle_import`) with what importing it raised, or
        that it took too long or died."""
        if self._child is None:
            child = _Child(self._bundle, self._bounds)
            answer = child.answer(self._bounds.start_seconds, starting=True)
            if answer is None or "error" in answer:
                child.kill()
                why = _text(answer["error"]) if answer else child.end(self._bounds.start_seconds)
                raise Refused(f"The bundle cannot be imported: {why}", code="bundle_import")
            self._child = child
            names = tuple(_text(name) for name in answer["workflows"])
            self.contents = Contents(names, bool(answer.get("isolated")))
        assert self.contents is not None  # noqa: S101 - set with the child
        return self.contents

    def replay(self, workflow_id: str, document: bytes) -> ReplayOutcome:
        """Replays one history: a serialised temporal.api.history.v1.History."""
        self.start()
        assert self._child is not None  # noqa: S101 - start() has set it
        begun = time.monotonic()
        self._child.ask(workflow_id, document, self._bounds.seconds)
        answer = self._child.answer(begun + self._bounds.seconds - time.monotonic())
        if answer is not None:
            return _outcome(answer)
        seconds = time.monotonic() - begun
        late = self._child.running
        self._child.kill()
        message = self._child.end(self._bounds.seconds)
        self._child = None
        verdict = ReplayVerdict.TIMED_OUT if late else ReplayVerdict.CRASHED
        return ReplayOutcome(verdict, message, milliseconds=round(seconds * 1000))


def _understood(line: bytes, *, starting: bool) -> dict[str, Any] | None:
    """An answer of the child to what it was asked; None for anything else that a bundle may have
    written there."""
    with contextlib.suppress(ValueError, RecursionError, TypeError, LookupError, AttributeError):
        message: dict[str, Any] = json.loads(line)
        if starting:
            right = "error" in message or isinstance(message["workflows"], list)
        else:
            right = message["verdict"] in set(ReplayVerdict) and isinstance(message["ms"], int)
        return message if right else None
    return None


def _outcome(answer: dict[str, Any]) -> ReplayOutcome:
    return ReplayOutcome(
        verdict=ReplayVerdict(answer["verdict"]),
        message=_text(answer.get("message", "")),
        event_id=_number(answer.get("event_id", 0)),
        event_type=_text(answer.get("event_type", ""), _LONGEST_NAME),
        expected=_text(answer.get("expected", "")),
        actual=_text(answer.get("actual", "")),
        milliseconds=_number(answer["ms"], 2**31 - 1),
    )


def _text(value: Any, longest: int = _TAIL) -> str:
    """What a bundle says, as text that can be stored: no NUL, no half of a surrogate pair."""
    cut = str(value)[:longest].replace("\0", "\ufffd")
    return cut.encode("utf-8", "replace").decode()


def _number(value: Any, most: int = 2**53) -> int:
    """A number from 0 to `most`; 0 for what is none."""
    return min(max(value, 0), most) if isinstance(value, int) else 0


class _Child:
    """The process, its pipes, and the last words of its error output."""

    def __init__(self, bundle: Bundle, bounds: Bounds) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="headroom-replay-")
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, str(_ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(writing,),
                cwd=self._home.name,
                # Nothing of ours: what the console is told by its environment is secret.
                env={"LANG": "C.UTF-8", "TZ": "UTC", "MALLOC_ARENA_MAX": "2"},
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
        job = {
            "answers": writing,
            "paths": bundle.paths,
            "modules": bundle.modules,
            "memory": bounds.memory,
        }
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        os.set_blocking(self._process.stdin.fileno(), False)
        self._write(json.dumps(job).encode() + b"\n", bounds.start_seconds)

    @property
    def running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def ask(self, workflow_id: str, document: bytes, seconds: float) -> None:
        """Hands over one history, or as much of it as is taken in that time."""
        head = {"id": 0, "workflow_id": workflow_id, "size": len(document)}
        self._write(json.dumps(head).encode() + b"\n" + document, seconds)

    def answer(self, seconds: float, *, starting: bool = False) -> dict[str, Any] | None:
        """The next answer; None when it did not come in time, makes no sense, or the process is
        gone. Whatever a bundle does to its pipes ends here, within the time."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._buffer and len(self._buffer) < LONGEST_ANSWER:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    return None
                piece = os.read(self._answers, 65536)
                if not piece:
                    # Gone, or it has closed its end and goes on.
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self._process.wait(timeout=max(deadline - time.monotonic(), 0))
                    return None
                self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        message = _understood(line, starting=starting)
        if message is None:
            self._process.kill()
            self._process.wait()
            self._words = b"it wrote something that is no answer"
        return message

    def kill(self) -> None:
        """Ends the process with all that it has started, and frees everything."""
        self._killed = self.running
        # It leads a group that nothing in it can leave: see isolation.py.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._listener.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        os.close(self._answers)
        self._home.cleanup()

    def end(self, seconds: float) -> str:
        """How it ended, for people; after `kill`."""
        if self._killed:
            return f"It took longer than {seconds:g} s and was stopped."
        status = self._process.returncode
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        words = _text(self._words.decode("utf-8", "replace").strip())
        return f"The process ended with {how}{': ' if words else '.'}{words}"

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
