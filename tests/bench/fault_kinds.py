"""The faults of bench-faults: what is done to which parts, and what a page then has to say."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Final

from tests.bench.demo import Demo

STOPPED_SECONDS: Final = 35.0
LOCKED_SECONDS: Final = 30.0
DEATHS: Final = 5
NO_PAGE: Final = r"no page"
"""What an onlooker writes down where no server is there that could answer."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One fault. `inflict` returns when it is over or nobody heals it; `parts` are to run again
    afterwards (under other pids, if they were killed). `says` is what a line of a page must match
    to count as telling of it. `heals`: whether it is meant to heal by itself."""

    name: str
    inflict: Callable[[Demo], None]
    says: str
    parts: tuple[str, ...] = ()
    killed: bool = True
    heals: bool = True


@dataclass(slots=True)
class _Kill:
    parts: tuple[str, ...]
    times: int = 1

    def __call__(self, demo: Demo) -> None:
        for number in range(self.times):
            for part in self.parts:
                demo.signal(part, SIGKILL)
            if number + 1 < self.times:
                _wait_for_next(demo, self.parts[0])


def _wait_for_next(demo: Demo, part: str) -> None:
    dead = demo.pid(part)
    deadline = time.monotonic() + STOPPED_SECONDS
    while demo.pid(part) in (0, dead) and time.monotonic() < deadline:
        time.sleep(0.1)


@dataclass(slots=True)
class _Pause:
    part: str
    seconds: float = STOPPED_SECONDS

    def __call__(self, demo: Demo) -> None:
        demo.signal(self.part, SIGSTOP)
        try:
            time.sleep(self.seconds)
        finally:
            demo.signal(self.part, SIGCONT)


@dataclass(slots=True)
class _Lock:
    seconds: float = LOCKED_SECONDS
    held: threading.Event = field(default_factory=threading.Event)

    def __call__(self, demo: Demo) -> None:
        database = sqlite3.connect(demo.state.database, timeout=60, isolation_level=None)
        try:
            database.execute("BEGIN IMMEDIATE")
            time.sleep(self.seconds)
        finally:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            database.close()


def _kill(name: str, says: str, *parts: str) -> FaultKind:
    return FaultKind(name, _Kill(parts or (name,)), says, parts or (name,))


KINDS: Final = (
    FaultKind("none", lambda _demo: None, r"(?!)", killed=False),
    _kill("worker", r"(?i)\bworker"),
    _kill("ingest", r"(?i)ingest|nobody reads|no process reads|have not been read"),
    _kill("web", NO_PAGE),
    _kill("valkey", r"(?i)broker"),
    _kill("beat", r"(?i)scheduler"),
    _kill("temporal", r"(?i)temporal-local.*(cannot|not reach|no answer|away)|Temporal (does|has)"),
    _kill("kube-apiserver", r"(?i)lab-k8s.*(cannot|not reach|no answer|away)|API server"),
    _kill("worker+web+ingest", rf"{NO_PAGE}|(?i:\bworker)", "worker", "web", "ingest"),
    FaultKind(
        f"SIGSTOP kube-apiserver {STOPPED_SECONDS:.0f} s",
        _Pause("kube-apiserver"),
        r"(?i)lab-k8s.*(cannot|not reach|no answer|away)|API server|in time",
        ("kube-apiserver",),
        killed=False,
    ),
    FaultKind(
        f"SIGSTOP valkey {STOPPED_SECONDS:.0f} s",
        _Pause("valkey"),
        # Not what is still said of the broker that died before.
        r"(?i)degraded: broker|timeout reading",
        ("valkey",),
        killed=False,
    ),
    FaultKind(
        f"write lock {LOCKED_SECONDS:.0f} s",
        _Lock(),
        r"(?i)database|written|nothing was changed",
        killed=False,
    ),
    FaultKind(
        f"beat killed {DEATHS} times", _Kill(("beat",), DEATHS), r"(?i)scheduler", ("beat",),
        heals=False,
    ),
    FaultKind(
        "supervisor kill -9", lambda demo: demo.kill_supervisor(), NO_PAGE, heals=False
    ),
)  # fmt: skip
