"""Attempts that are counted from one again: each round of them has keys of its own. Pure.

Those of the first round are the engine's own keys; a later round's begin with its number and sort
after those of the rounds before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from observability.engines.contracts import AttemptRound, RunEvent

LATER: Final = "b"
"""How keys of later rounds begin: an engine's own keys of attempts sort before that."""


def key_in(number: int, key: str) -> str:
    """The key of an event of a round; the first one is 0."""
    return f"{LATER}{number:04d}/{key}" if number else key


def round_of(key: str) -> int:
    """The number of the round of a key."""
    return int(key.partition("/")[0][1:]) if key.startswith(LATER) else 0


def in_rounds(
    events: Iterable[RunEvent],
    newest: Mapping[int, int],
    stored: Mapping[tuple[int, str], datetime],
) -> Iterator[RunEvent]:
    """Events of a run, oldest first, with the keys that they have in their rounds. `newest` is the
    last round by `seq`, `stored` when those events were that have one of these keys."""
    newest = dict(newest)
    for event in events:
        if event.attempt_round is AttemptRound.NONE:
            yield event
            continue
        known = {
            number: at
            for number in range(newest.get(event.seq, 0) + 1)
            if (at := stored.get((event.seq, key_in(number, event.key)))) is not None
        }
        number = _round(event, known, newest.get(event.seq, 0))
        newest[event.seq] = max(number, newest.get(event.seq, 0))
        yield replace(event, key=key_in(number, event.key))


def _round(event: RunEvent, known: Mapping[int, datetime], newest: int) -> int:
    """Its round, where events of its key are known of some rounds by when they were."""
    same = next((number for number, at in known.items() if at == event.at), None)
    if same is not None:
        return same
    is_another = newest in known and event.attempt_round is AttemptRound.BY_TIME
    return newest + 1 if is_another else newest
