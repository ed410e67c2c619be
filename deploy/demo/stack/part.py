"""What a part of the embedded stack is: one program, and how to know that it works."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Probe = Callable[[], bool]


class CannotStartError(Exception):
    """Something that the user has to change first; its text is shown as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One program: how to start it, how to know that it is ready, how to stop it.

    `start_timeout` is of its own processor time, and of time in which it does nothing: patience.py.
    `after` names the parts that must be ready first. A part that runs `once` is a step, such as a
    migration: ready when it ends with 0, failed otherwise; when an `essential` one fails, the stack
    stops. Parts stop in the order of `stop_rank`, the lowest first. Durations are seconds.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    ready: Probe | None = None
    after: tuple[str, ...] = ()
    once: bool = False
    essential: bool = False
    start_timeout: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_rank: int = 0
    stop_timeout: float = 10.0
    # What it gets when the supervisor itself is killed. Programs with children of their own need
    # one that they can act upon, or the children stay.
    orphan_signal: signal.Signals = signal.SIGKILL
    # The user id to run as; -1 is the one who asks.
    user: int = -1
    note: str = ""
