"""Whether ingest can store a run as it was read: what both databases take, no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

from console.unstructured import LATEST
from observability.engines.contracts import RunEvent, RunSnapshot

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_MOST: Final = 2**31 - 1


def problems_of(run: RunSnapshot) -> list[str]:
    """What of a run could not be stored, or would be nobody's: empty when all is well."""
    problems = [*_problems("run", run), *(line for event in run.events for line in _of(event))]
    if not run.external_id or not run.run_id or not run.location:
        problems.append("it has no name")
    if run.attempts is not None and not 0 < run.attempts <= _MOST:
        problems.append(f"attempts: {run.attempts}")
    if run.closed_at is not None and run.closed_at < run.created_at:
        problems.append("it ended before it was created")
    return problems


def _of(event: RunEvent) -> Iterator[str]:
    yield from _problems(event.key, event)
    if abs(event.seq) >= 2**63 or not 0 <= event.attempt <= _MOST:
        yield f"{event.key}: number {event.seq}, attempt {event.attempt}"


def _problems(where: str, item: RunSnapshot | RunEvent) -> Iterator[str]:
    for field in fields(item):
        for value in _values(getattr(item, field.name)):
            problem = _problem(value)
            if problem:
                yield f"{where} {field.name}: {problem}"


def _values(value: Any) -> Iterator[Any]:
    """The scalars in a value that is no event."""
    waiting = [value]
    while waiting:
        inside = waiting.pop()
        if isinstance(inside, dict):
            waiting += [*inside, *inside.values()]
        elif isinstance(inside, list | tuple):
            waiting += [item for item in inside if not isinstance(item, RunEvent)]
        else:
            yield inside


def _problem(value: Any) -> str:
    if isinstance(value, datetime):
        fine = value.tzinfo is UTC and EARLIEST <= value <= LATEST
        return "" if fine else f"a time that is none: {value!r}"
    if isinstance(value, str):
        bad = "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value)
        return "characters that cannot be stored" if bad else ""
    if isinstance(value, int) and not isinstance(value, bool):
        return "" if abs(value) < 2**63 else "a number that is too large"
    return ""
