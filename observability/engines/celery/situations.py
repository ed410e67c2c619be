"""What runs say whose workers are silent, in sentences. A reader that begins takes from them since
when that is. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from console.unstructured import moment as time_in
from observability.engines.celery.events import microseconds, moment

FINISHES: Final = "a worker that shuts down warmly still finishes what it runs"
GIVEN_AGAIN: Final = "it is delivered again when the broker gives it back"
_BUSY: Final = "it neither sends events nor answers, as a worker may that is busy"
_TIME: Final = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC"
_NO_SIGN: Final = re.compile(rf"no sign of life of .* since {_TIME}: {_BUSY}", re.DOTALL)
_OFFLINE: Final = re.compile(rf".* went offline at {_TIME}; {FINISHES}", re.DOTALL)


class NotedSilence(NamedTuple):
    """Since when a worker is silent, in microseconds, and whether it said that it goes offline."""

    us: int
    is_offline: bool


def shown(us: int) -> str:
    """A time, for people."""
    return f"{moment(us):%Y-%m-%d %H:%M:%S} UTC"


def no_sign(host: str, since_us: int) -> str:
    """Of a run whose worker may be busy."""
    return f"no sign of life of {host} since {shown(since_us)}: {_BUSY}"


def went_offline(host: str, at_us: int) -> str:
    """Of a run whose worker shuts down."""
    return f"{host} went offline at {shown(at_us)}; {FINISHES}"


def let_go(host: str, what: str) -> str:
    """Of a run that no worker has any more."""
    return f"{host}, which had it, {what}; {GIVEN_AGAIN}"


def is_let_go(situation: str) -> bool:
    """Whether a run says that no worker has it any more."""
    return situation.endswith(f"; {GIVEN_AGAIN}")


def noted_silence(situation: str) -> NotedSilence | None:
    """What a run says of its worker's silence; None where it says nothing of that."""
    for pattern, is_offline in ((_NO_SIGN, False), (_OFFLINE, True)):
        noted = pattern.fullmatch(situation)
        at = time_in(noted[1]) if noted else None
        if at is not None:
            return NotedSilence(microseconds(at), is_offline)
    return None
