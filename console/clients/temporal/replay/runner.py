"""Replaying histories in a process of their own that can be killed.

    with ReplayProcess(Bundle(paths=("/srv/bundles/flows-42",), modules=("flows",))) as process:
        outcome = process.replay("acme-invoice-7", document)

A history that takes too long costs the process, not the caller: the next call starts another.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from console.clients.temporal.replay.child_process import Answer, ChildProcess, storable
from console.errors import Refused

_LONGEST_NAME: Final = 100
_LEAST_PROCESSOR: Final = 600
_ISOLATION: Final = ("calls", "files")


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

    @property
    def processor(self) -> int:
        """Seconds that one process may use on all its threads together: the longest import and the
        longest history fit twice, so one that has used half is replaced by another."""
        cores = os.cpu_count() or 1
        return max(_LEAST_PROCESSOR, int(2 * cores * (self.seconds + self.start_seconds)) + 1)


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
    """What a bundle holds. `isolated` is false where the system cannot take the network and other
    processes away, `confined` where it cannot take away the files of the server."""

    workflows: tuple[str, ...]
    isolated: bool
    confined: bool


class ReplayProcess:
    """One bundle in one process. Not for several threads at once."""

    def __init__(self, bundle: Bundle, bounds: Bounds | None = None) -> None:
        self._bundle = bundle
        self._bounds = bounds or Bounds()
        self._child: ChildProcess | None = None
        self.contents: Contents | None = None

    def __enter__(self) -> Self:
        """Starts nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process."""
        self.close()

    def _job(self) -> dict[str, Any]:
        bundle, bounds = self._bundle, self._bounds
        return {
            "paths": bundle.paths,
            "modules": bundle.modules,
            "memory": bounds.memory,
            "processor": bounds.processor,
        }

    def close(self) -> None:
        """Kills the process, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def start(self) -> Contents:
        """Imports the bundle. Raises Refused (`bundle_import`) with what importing it raised, or
        that it took too long or died."""
        if self._child is None:
            deadline = time.monotonic() + self._bounds.start_seconds
            child = ChildProcess(self._job(), self._bounds.start_seconds)
            isolation = child.answer(deadline - time.monotonic(), _as_isolation)
            answer = isolation and child.answer(deadline - time.monotonic(), _as_beginning)
            if not isolation or not answer or "error" in answer:
                child.kill()
                why = storable(answer["error"]) if answer else child.end(self._bounds.start_seconds)
                raise Refused(f"The bundle cannot be imported: {why}", code="bundle_import")
            self._child = child
            names = tuple(storable(name) for name in answer["workflows"])
            self.contents = Contents(names, isolation["calls"], isolation["files"])
        assert self.contents is not None  # noqa: S101 - set with the child
        return self.contents

    def replay(self, workflow_id: str, document: bytes) -> ReplayOutcome:
        """Replays one history: a serialised temporal.api.history.v1.History."""
        if self._child is not None and self._child.processor_seconds > self._bounds.processor / 2:
            self.close()
        self.start()
        assert self._child is not None  # noqa: S101 - start() has set it
        begun = time.monotonic()
        self._child.ask(workflow_id, document, self._bounds.seconds)
        left = begun + self._bounds.seconds - time.monotonic()
        answer = self._child.answer(left, _as_verdict)
        if answer is not None:
            return _outcome(answer)
        seconds = time.monotonic() - begun
        late = self._child.running
        self._child.kill()
        message = self._child.end(self._bounds.seconds)
        self._child = None
        verdict = ReplayVerdict.TIMED_OUT if late else ReplayVerdict.CRASHED
        return ReplayOutcome(verdict, message, milliseconds=round(seconds * 1000))


def _as_isolation(line: bytes) -> Answer | None:
    """What child.py says before the bundle has a say."""
    message = _message(line)
    right = message is not None and all(isinstance(message.get(key), bool) for key in _ISOLATION)
    return message if right else None


def _as_beginning(line: bytes) -> Answer | None:
    """What is in a bundle, or why it cannot be imported; None for anything else that a bundle may
    have written there."""
    message = _message(line)
    if message is None:
        return None
    return message if "error" in message or isinstance(message.get("workflows"), list) else None


def _as_verdict(line: bytes) -> Answer | None:
    """What came of a history; None as above."""
    message = _message(line)
    if message is None or not isinstance(message.get("ms"), int):
        return None
    verdict = message.get("verdict")
    return message if isinstance(verdict, str) and verdict in set(ReplayVerdict) else None


def _message(line: bytes) -> Answer | None:
    with contextlib.suppress(ValueError, RecursionError):
        message = json.loads(line)
        if isinstance(message, dict):
            return message
    return None


def _outcome(answer: dict[str, Any]) -> ReplayOutcome:
    return ReplayOutcome(
        verdict=ReplayVerdict(answer["verdict"]),
        message=storable(answer.get("message", "")),
        event_id=_number(answer.get("event_id", 0)),
        event_type=storable(answer.get("event_type", ""), _LONGEST_NAME),
        expected=storable(answer.get("expected", "")),
        actual=storable(answer.get("actual", "")),
        milliseconds=_number(answer["ms"], 2**31 - 1),
    )


def _number(value: Any, most: int = 2**53) -> int:
    """A number from 0 to `most`; 0 for what is none."""
    return min(max(value, 0), most) if isinstance(value, int) else 0
