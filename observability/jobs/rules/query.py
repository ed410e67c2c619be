"""The one search box of the jobs: chips and words, read and written. Pure.

    tenant:acme engine:temporal status:failed since:2h took:>30s "could not connect" oom

Chips of one name widen (this or that), different names and words narrow (this and that). A word is
found by its beginning, a text in quotes as it stands; in quotes, \\" is a quotation mark and \\\\ a
backslash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Final

from console.errors import DomainError
from observability.engines.contracts import (
    BAD,
    OPEN,
    Engine,
    FailureKind,
    Status,
)

LONGEST_QUERY: Final = 9_000
"""An id of 1,000 letters that are all shown by their number."""
MOST_CHIPS: Final = 20
MOST_WORDS: Final = 12
NOBODY: Final = "none"
"""tenant:none is what could not be attributed."""

CHIPS: Final[Mapping[str, str]] = {
    "tenant": "a tenant's short name, or none for unattributed runs",
    "engine": "temporal, argo, celery or kubernetes",
    "status": "a status such as failed, or bad, open, closed",
    "type": "the exact type, such as InvoiceFlow",
    "target": "a target's short name",
    "queue": "the exact task queue",
    "place": "the exact namespace or queue it lives in",
    "worker": "part of a worker's name",
    "id": "the beginning of an id of the run",
    "failure": "a kind of failure or refusal such as out_of_memory, quota, limit_range",
    "since": "accepted since: 2h, 7d, 2026-11-20",
    "until": "accepted before: 2h, 7d, 2026-11-20",
    "took": "how long: >30s, <5m, 30s..5m",
}
_GROUPS: Final[Mapping[str, frozenset[Status]]] = {
    "bad": BAD,
    "open": OPEN,
    "closed": frozenset(Status) - OPEN,
}
_CLOSED_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "engine": tuple(Engine),
    "status": (*_GROUPS, *Status),
    "failure": tuple(kind.value for kind in FailureKind if kind.value),
}
_SYNONYMS: Final = {
    "duration": "took",
    "error": "failure",
    "message": "failure",
    "namespace": "place",
    "name": "id",
    "workflow": "type",
    "task": "type",
    "state": "status",
}
"""What else people call it; only for the hint, so that a saved link has one spelling."""
_ONCE: Final = frozenset({"since", "until", "took"})

_TOKEN: Final = re.compile(
    r'(?:(?P<name>[A-Za-z_]+):)?"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<bare>[^\s"]+)', re.DOTALL
)
_ESCAPED: Final = re.compile(r'\\(["\\])')
_CHIP: Final = re.compile(r"(?P<name>[A-Za-z_]+):(?P<value>.*)", re.DOTALL)
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|min|h|d|w)")
_UNIT: Final[Mapping[str, int]] = {
    "ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000,
    "w": 604_800_000,
}  # fmt: skip
_LONGEST_SPAN: Final = 100 * 366 * 86_400_000


@dataclass(frozen=True, slots=True)
class Chip:
    """name:value"""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}:{_quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for. `words` and `phrases` (texts in quotes) are as they were typed."""

    chips: tuple[Chip, ...] = ()
    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.chips or self.words or self.phrases)

    def __str__(self) -> str:
        """The text that reads back as this query."""
        phrases = map(_in_quotes, self.phrases)
        return " ".join((*map(str, self.chips), *self.words, *phrases))

    def values(self, name: str) -> tuple[str, ...]:
        """What the chips of one name say."""
        return tuple(chip.value for chip in self.chips if chip.name == name)

    def without(self, name: str, value: str | None = None) -> Query:
        """The query without the chips of one name, or without one of them."""
        kept = (c for c in self.chips if c.name != name or value not in (None, c.value))
        return replace(self, chips=tuple(kept))

    def plus(self, name: str, value: str) -> Query:
        """The query with one more chip."""
        chip = Chip(name, value)
        return self if chip in self.chips else replace(self, chips=(*self.chips, chip))

    @property
    def statuses(self) -> frozenset[Status]:
        """The statuses asked for, groups spelt out; empty when none were."""
        statuses: set[Status] = set()
        for value in self.values("status"):
            statuses |= _GROUPS.get(value) or {Status(value)}
        return frozenset(statuses)

    def accepted(self, *, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Since (included) and until (not included), None where nothing was said."""
        since, until = ("".join(self.values(name)) for name in ("since", "until"))
        return (
            moment(since, now=now, name="since") if since else None,
            moment(until, now=now, name="until") if until else None,
        )

    @property
    def took(self) -> tuple[int | None, int | None]:
        """From and up to how many milliseconds, both included; None where nothing was said."""
        text = "".join(self.values("took"))
        return _span_range(text) if text else (None, None)


def parse(text: str, chips: Mapping[str, Iterable[str]] | None = None) -> Query:
    """Reads the box, and chips that stand apart from it (`?tenant=acme`).

    Raises DomainError("invalid_query", 400) that says what is wrong and what would be right.
    """
    if len(text) > LONGEST_QUERY:
        raise _invalid(f"The search has {len(text)} characters; {LONGEST_QUERY} is the most.")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _invalid("The search holds a NUL or half of a surrogate pair, which no text can.")
    query = Query()
    for token in _TOKEN.finditer(text):
        query = _with(query, token)
    for name, values in (chips or {}).items():
        for value in values:
            query = _with_chip(query, name, value)
    if len(query.chips) > MOST_CHIPS or len(query.words) + len(query.phrases) > MOST_WORDS:
        raise _invalid(f"At most {MOST_CHIPS} filters and {MOST_WORDS} words can be combined.")
    return query


def moment(text: str, *, now: datetime, name: str) -> datetime:
    """2h and the like (ago), a date, or a moment in ISO 8601 (UTC where no zone is said)."""
    span = _milliseconds(text)
    try:
        if span is not None:
            return now - timedelta(milliseconds=span)
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _invalid(
            f"{name}:{text[:40]} is not a time; use 30m, 2h, 7d, 2026-11-20 or 2026-11-20T18:00Z."
        ) from None


def _with(query: Query, token: re.Match[str]) -> Query:
    name, quoted, bare = token["name"], token["quoted"], token["bare"]
    if quoted is not None:
        quoted = _ESCAPED.sub(r"\1", quoted)
    if name is not None:
        return _with_chip(query, name, quoted or "")
    if quoted is not None:
        phrase = quoted.strip()
        return replace(query, phrases=(*query.phrases, phrase)) if phrase else query
    chip = _CHIP.fullmatch(bare)
    if chip and not chip["value"].startswith("//"):
        return _with_chip(query, chip["name"], chip["value"])
    return replace(query, words=(*query.words, bare))


def _with_chip(query: Query, name: str, value: str) -> Query:
    name = name.lower()
    if name not in CHIPS:
        raise _unknown(name, value)
    # Engines take ids with blanks at their ends, so that those of an id mean something.
    value = value if name == "id" else value.strip()
    if not value.strip():
        raise _invalid(f"{name}: says nothing; write {CHIPS[name]}.")
    if name in _ONCE and query.values(name) not in ((), (value,)):
        raise _invalid(f"{name}: is there twice; once is enough.")
    for part in value.split(",") if name in _CLOSED_VALUES else (value,):
        query = query.plus(name, _checked(name, part))
    return query


def _checked(name: str, value: str) -> str:
    if "\0" in value:
        raise _invalid(f"{name}: a value holds no NUL.")
    if name in _CLOSED_VALUES:
        plain = value.strip().lower().replace("-", "_").replace(" ", "_")
        if plain not in _CLOSED_VALUES[name]:
            right = ", ".join(_CLOSED_VALUES[name])
            raise _invalid(f"{name}:{value[:40]} does not exist; use {right}.")
        return plain
    if name == "took":
        _span_range(value)
    elif name in {"since", "until"}:
        moment(value, now=_ANY, name=name)
    return value.lower() if name in {"tenant", "target"} else value


_ANY: Final = datetime(2026, 1, 1, tzinfo=UTC)


def _span_range(text: str) -> tuple[int | None, int | None]:
    first, dots, last = text.partition("..")
    if dots:
        low, high = _milliseconds(first), _milliseconds(last)
        if low is not None and high is not None and low <= high:
            return low, high
    sign = re.match(r"[<>]?=?", text)
    mark = sign.group() if sign else ""
    span = _milliseconds(text[len(mark) :])
    if dots or span is None:
        raise _invalid(f"took:{text[:40]} is not a duration; use >30s, <5m, >1h30m or 30s..5m.")
    if mark.startswith("<"):
        return None, span if "=" in mark else span - 1
    return span + 1 if mark == ">" else span, None


def _milliseconds(text: str) -> int | None:
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    total = sum(int(float(number) * _UNIT[unit]) for number, unit in parts)
    return total if total <= _LONGEST_SPAN else None


def _quoted(value: str) -> str:
    return _in_quotes(value) if re.search(r'[\s"]', value) or not value else value


def _in_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unknown(name: str, value: str) -> DomainError:
    near = _SYNONYMS.get(name) or next(iter(get_close_matches(name, CHIPS, n=1)), "")
    hint = f"Did you mean {near}:? " if near else ""
    return _invalid(
        f"{name[:40]}: is no filter. {hint}There are {', '.join(CHIPS)}. "
        f'To look for the text itself, put it in quotes: "{name[:40]}:{value[:40]}".'
    )


def _invalid(message: str) -> DomainError:
    return DomainError("invalid_query", message, field="q", status=400)
