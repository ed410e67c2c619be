"""Events as rows: masked, bounded, each once. Most need neither, and are passed on as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from observability.engines.contracts import (
    LONGEST_MESSAGE,
    LONGEST_TITLE,
    MOST_DETAIL,
    RunEvent,
)
from observability.ingest.rules.masking import Masker
from observability.jobs.rules.bounding import (
    bounded_detail,
    bounded_id,
    bounded_text,
    detail_for_masking,
    for_masking,
    storable,
    to_json,
)

LONGEST_KEY: Final = 160
LONGEST_NAME: Final = 255
_MOST_SEQ: Final = 2**63 - 1
_MOST_ATTEMPT: Final = 2**31 - 1

EventRow = tuple[Any, ...]
"""Values of a JobEvent in the order of its columns after the id; `detail` is JSON text."""


def event_rows(run_id: int, events: Iterable[RunEvent], masker: Masker) -> Iterator[EventRow]:
    """The rows of a run's events; of two with the same number and name the first."""
    known: set[tuple[int, str]] = set()
    for event in events:
        row = event_row(run_id, event, masker)
        if (row[1], row[2]) not in known:
            known.add((row[1], row[2]))
            yield row


def how_many(events: Iterable[RunEvent]) -> int:
    """The number of rows that `event_rows` makes of the events of one run."""
    return len({_name(event) for event in events})


def _name(event: RunEvent) -> tuple[int, str]:
    if abs(event.seq) <= _MOST_SEQ and len(event.key) <= LONGEST_KEY and storable(event.key):
        return event.seq, event.key
    return _number(event.seq), bounded_id(event.key, LONGEST_KEY)


def _number(seq: int) -> int:
    return max(min(seq, _MOST_SEQ), -_MOST_SEQ)


def event_row(run_id: int, event: RunEvent, masker: Masker) -> EventRow:
    """One event as a row."""
    raw = to_json(event.detail) if event.detail else b"{}"
    detail = raw.decode()
    texts = (event.key, event.title, event.step, event.step_name, event.actor, event.message)
    everything = "\n".join((*texts, detail))
    if (
        _fits(event)
        and len(raw) <= MOST_DETAIL
        and storable(everything)
        and not masker.may_touch(everything)
    ):
        return (
            *(run_id, event.seq, event.key, event.at, event.kind.value, event.title),
            *(event.step, event.step_name, event.attempt, event.actor, event.message, detail),
        )
    return _mended(run_id, event, masker)


def _fits(event: RunEvent) -> bool:
    return (
        0 <= event.attempt <= _MOST_ATTEMPT
        and abs(event.seq) <= _MOST_SEQ
        and len(event.key) <= LONGEST_KEY
        and len(event.title) <= LONGEST_TITLE
        and max(len(event.step), len(event.actor)) <= LONGEST_NAME
        and len(event.step_name) <= LONGEST_TITLE
        and len(event.message) <= LONGEST_MESSAGE
    )


def _mended(run_id: int, event: RunEvent, masker: Masker) -> EventRow:
    def text(raw: str, most: int) -> str:
        return bounded_text(masker.text(for_masking(raw)), most)

    return (
        run_id,
        _number(event.seq),
        bounded_id(event.key, LONGEST_KEY),
        event.at,
        event.kind.value,
        text(event.title, LONGEST_TITLE),
        bounded_id(event.step, LONGEST_NAME),
        text(event.step_name, LONGEST_TITLE),
        min(max(event.attempt, 0), _MOST_ATTEMPT),
        text(event.actor, LONGEST_NAME),
        text(event.message, LONGEST_MESSAGE),
        to_json(_detail(event, masker)).decode(),
    )


def _detail(event: RunEvent, masker: Masker) -> dict[str, Any]:
    if not event.detail:
        return {}
    detail = detail_for_masking(event.detail, to_json(event.detail))
    return bounded_detail(masker.value(detail))
