"""Waiting in tests: for the thing itself, with a limit that only something broken reaches.

No verdict hangs on how fast the machine is. What a test wants to have happened it waits for with
`until`; what hangs on purpose hangs until it is told otherwise, or for `HANGS` seconds, and whoever
came back within `PATIENCE` did not wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = 120.0
"""Seconds that anything may take on a machine that does ten other things."""
HANGS: Final = 600
"""Seconds for which a program sleeps that stands for one that never ends."""
PAUSE: Final = 0.05


def until(check: Callable[[], T], what: str | Callable[[], str] = "") -> T:
    """The first true answer of `check`; an AssertionError that says `what` when none comes."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := check()):
        if time.monotonic() > deadline:
            message = what() if callable(what) else what
            raise AssertionError(message or "it did not come about in time")
        time.sleep(PAUSE)
    return answer
