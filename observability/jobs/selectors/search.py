"""Runs that match a query, newest first, in bounded time whatever is asked and however deep.

Ways to find them, the next where the one before was not enough:
1. What is common is found by walking back from the newest: a short stretch of the best index, then
   a longer one if the first says that it will do.
2. What is rare is found in the word index (see migration 0003), which is asked for a few
   thousand at most.
3. What is neither, because all of it is long gone, is taken from that index in order.
The word index only narrows: every condition is asked of the columns themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import CharField, F, Func, Q, QuerySet
from django.db.models.lookups import Contains

from console.pages.visible import as_meant
from observability.jobs.models import JobRun
from observability.jobs.rules.query import NOBODY, Query
from observability.jobs.rules.search_words import query_words
from observability.jobs.selectors import tokens
from tenants.models import Target, Tenant

SCANNED_FIRST: Final = 2_000
SCANNED_MOST: Final = 40_000
"""Rows that are looked at one by one."""
HITS_MOST: Final = 5_000
"""Runs that the word index is asked for at once."""
SAMPLE_ENOUGH: Final = 200
"""So many of the newest tell how things are."""

_SELECTIVE_PREFIX: Final = 3
"""Letters of a beginning that is worth looking up beside other words."""

_MOST_OF_A_TEXT: Final = 12
_MOST_OF_AN_ID: Final = 2
"""Words that are asked of the index, which has at most 80 of a run."""

# One of these and the order of the list is an index: the narrowest first.
_DRIVERS: Final = ("tenant_id", "type", "status", "engine")
KEY: Final = ("created_at", "id")


@dataclass(frozen=True, slots=True)
class Search:
    """A query, translated for the database.

    `driver` are columns that an index has before the key, `rest` is everything else, `narrowing`
    is what the word index is asked for (empty: nothing that it knows).
    """

    driver: dict[str, Any] = field(default_factory=dict)
    rest: Q = field(default_factory=Q)
    narrowing: tokens.Narrowing = ()
    since: datetime | None = None
    until: datetime | None = None
    is_empty: bool = False

    def within(self, runs: QuerySet[JobRun]) -> QuerySet[JobRun]:
        """The part of `runs` between since and until."""
        if self.is_empty:
            return runs.none()
        if self.since is not None:
            runs = runs.filter(created_at__gte=self.since)
        if self.until is not None:
            runs = runs.filter(created_at__lt=self.until)
        return runs

    def take(self, runs: QuerySet[JobRun], order: Sequence[str], size: int) -> list[JobRun]:
        """The first `size` that match, for console.database.keyset.keyset_page."""
        matches, _ = self.sample(runs, order, size)
        return matches

    def sample(
        self, runs: QuerySet[Any], order: Sequence[str], size: int, *, patient: bool = True
    ) -> tuple[list[Any], bool]:
        """The first `size` that match, and whether that is all of them or as many as asked for.

        Who is not `patient` makes do with what the first scan has where it has enough to tell
        how things are, or the word index has too many.
        """
        base = self.within(runs)
        wanted = base.filter(self.rest, **self.driver).order_by(*order)
        helps = order[0].lstrip("-") == KEY[0]
        if self.is_empty or not (self.rest or (self.driver and not helps)):
            return list(wanted[:size]), True
        scan = base.filter(**(self.driver if helps else {})).order_by(*order)
        rows = max(SCANNED_FIRST, 2 * size)
        matches, done = _scan(wanted, scan, order, size, rows)
        if not done and patient and (more := _rows_to_scan(rows, len(matches), size)):
            matches, done = _scan(wanted, scan, order, size, more)
        if done:
            return matches, True
        if not patient and len(matches) >= SAMPLE_ENOUGH:
            return matches, False
        hits = tokens.matching(self.narrowing, most=HITS_MOST) if self.narrowing else None
        if hits is not None:
            return _matching_hits(hits, wanted, scan, size), True
        if not patient:
            return matches, False
        if self.narrowing:
            return self._in_index_order(wanted, scan, order, size), True
        return list(wanted[:size]), True

    def _in_index_order(
        self, wanted: QuerySet[Any], scan: QuerySet[Any], order: Sequence[str], size: int
    ) -> list[Any]:
        """The first that match, out of many that are all far from where the scan begins."""
        for most in (4 * size, 40 * size):
            hits = tokens.next_matching(
                self.narrowing, order=order, edge=_page_start(scan), most=most
            )
            matches = _matching_hits(hits, wanted, scan, size)
            if len(matches) == size or len(hits) < most:
                return matches
        return list(wanted[:size])


def _page_start(scan: QuerySet[Any]) -> datetime | None:
    """Where the page begins: the leading column of the first row that may be on it."""
    begin: datetime | None = scan.values_list(_leading(scan), flat=True).first()
    return begin


def _leading(scan: QuerySet[Any]) -> str:
    return str(scan.query.order_by[0]).lstrip("-")


def _matching_hits(
    hits: Sequence[tokens.Hit], wanted: QuerySet[Any], scan: QuerySet[Any], size: int
) -> list[Any]:
    """The first that match among some that the word index has. Nearly all of them do."""
    begin, is_down = _page_start(scan), str(scan.query.order_by[0]).startswith("-")
    ids = tokens.in_order(hits, column=_leading(scan), begin=begin, is_down=is_down)
    matches: list[Any] = []
    take = 2 * size
    while ids and len(matches) < size:
        batch, ids = ids[:take], ids[take:]
        matches += wanted.filter(pk__in=batch)[: size - len(matches)]
        take *= 4
    return matches


def _rows_to_scan(looked_at: int, matched: int, size: int) -> int:
    """How many rows to look at if the rest is like these, generously; 0: too many."""
    likely = looked_at * size // matched * 3 // 2 if matched else SCANNED_MOST + 1
    return likely if likely <= max(SCANNED_MOST, 4 * size) else 0


def _scan(
    wanted: QuerySet[Any], scan: QuerySet[Any], order: Sequence[str], size: int, rows: int
) -> tuple[list[Any], bool]:
    """What matches among the next so many runs; and whether that is all that was asked for."""
    names = [name.lstrip("-") for name in order]
    edges: list[Any] = list(scan.values_list(*names)[rows : rows + 1])
    if not edges:
        return list(wanted[:size]), True
    leading = "gte" if order[0].startswith("-") else "lte"
    matches = list(wanted.filter(**{f"{names[0]}__{leading}": edges[0][0]})[:size])
    return matches, len(matches) == size


def search_for(query: Query, *, now: datetime, tenants: Sequence[int] | None = None) -> Search:
    """Translates a query; `tenants` are the only ones whose runs may be found (None: all).

    A tenant or target that does not exist finds nothing.
    """
    since, until = query.accepted(now=now)
    parts = [part for part in _parts(query, now, tenants) if part is not None]
    if any(part.column and not part.values for part in parts):
        return Search(is_empty=True)
    driver = next((part for part in parts if part.may_drive), None)
    rest, narrowing = _texts(query)
    for part in parts:
        narrowing = (*narrowing, part.tokens)
        if part is not driver:
            rest &= part.condition()
    columns = {driver.column: driver.values[0]} if driver else {}
    return Search(columns, rest, narrowing, since, until)


@dataclass(frozen=True, slots=True)
class _Part:
    """One condition: a column that has one of some values, or any other; and its tokens."""

    column: str = ""
    values: tuple[Any, ...] = ()
    tokens: tokens.Alternatives = ()
    other: Q | None = None

    @property
    def may_drive(self) -> bool:
        """Whether an index has its runs in the order of the list."""
        return self.column in _DRIVERS and len(self.values) == 1 and self.values[0] is not None

    def condition(self) -> Q:
        """For the columns themselves."""
        if self.other is not None:
            return self.other
        known = Q(**{f"{self.column}__in": [value for value in self.values if value is not None]})
        missing = Q(**{f"{self.column}__isnull": True})
        return known | missing if None in self.values else known


def _parts(query: Query, now: datetime, tenants: Sequence[int] | None) -> Iterator[_Part | None]:
    if tenants is not None:
        yield _Part("tenant_id", tuple(tenants), tuple(map(tokens.tenant, tenants)))
    yield _tenants(query.values("tenant"))
    yield _column("type", query.values("type"), tokens.type_)
    yield _column("status", tuple(sorted(query.statuses)), tokens.status)
    yield _targets(query.values("target"))
    yield _column("engine", query.values("engine"), tokens.engine)
    yield _column("queue", query.values("queue"), tokens.queue)
    yield _column("location", query.values("place"), tokens.place)
    yield _column("failure_kind", query.values("failure"), tokens.failure)
    yield _took(query, now)


def _column(
    column: str, values: tuple[str, ...], token: Callable[[str], tokens.Token]
) -> _Part | None:
    values = tuple(text for value in values for text in _readings(value))
    return _Part(column, values, tuple(map(token, values))) if values else None


def _readings(text: str) -> tuple[str, ...]:
    """A text as it was typed and, where it was read off a page, as what was meant by it."""
    return tuple(dict.fromkeys((as_meant(text), text)))


def _tenants(slugs: tuple[str, ...]) -> _Part | None:
    if not slugs:
        return None
    named = Tenant.objects.filter(slug__in=slugs).values_list("pk", flat=True)
    ids: tuple[int | None, ...] = tuple(named) + ((None,) if NOBODY in slugs else ())
    return _Part("tenant_id", ids, tuple(map(tokens.tenant, ids)))


def _targets(slugs: tuple[str, ...]) -> _Part | None:
    if not slugs:
        return None
    ids = tuple(Target.objects.filter(slug__in=slugs).values_list("pk", flat=True))
    return _Part("target_id", ids, tuple(map(tokens.target, ids)))


def _took(query: Query, now: datetime) -> _Part | None:
    """How long it took; of what has not ended, how long it has been taking at least."""
    least, most = query.took
    if least is None and most is None:
        return None
    condition = Q(duration_ms__isnull=False)
    if least is not None:
        condition &= Q(duration_ms__gte=least)
    if most is not None:
        condition &= Q(duration_ms__lte=most)
    elif least is not None:
        begun = now - timedelta(milliseconds=least)
        condition |= Q(duration_ms__isnull=True, closed_at__isnull=True, created_at__lte=begun)
    return _Part(tokens=tokens.took(least, most), other=condition)


class _Padded(Func):
    """JobRun.search with a space before its first and behind its last word."""

    template = "(' ' || %(expressions)s || ' ')"
    output_field = CharField()


def _texts(query: Query) -> tuple[Q, tokens.Narrowing]:
    """Words by their beginning, texts in quotes as they stand, parts of ids and workers."""
    condition, narrowing = _ids(query.values("id"))
    texts = (*query.words, *query.phrases, *query.values("worker"))
    for text in map(as_meant, texts):
        *whole, last = query_words(text)[:_MOST_OF_A_TEXT] or ("",)
        for word in whole:
            condition &= _contains_word(f" {word} ")
            narrowing = (*narrowing, (tokens.word(word, is_prefix=False),))
        if last:
            condition &= _contains_word(f" {last}")
        if len(last) >= _SELECTIVE_PREFIX or (last and not whole):
            narrowing = (*narrowing, (tokens.word(last),))
    for phrase in query.phrases:
        condition &= _contains_phrase(phrase)
    for worker in query.values("worker"):
        condition &= _any("worker__icontains", worker)
    return condition, narrowing


def _ids(names: tuple[str, ...]) -> tuple[Q, tokens.Narrowing]:
    """Ids by their beginning. The word index is asked for their first words only: of a long one it
    has not all."""
    condition, narrowing = Q(), tokens.NOTHING
    for name in names:
        one = Q()
        # Blanks at an end may be the id's, or those of whoever copied it.
        for text in dict.fromkeys((name, name.strip())):
            one |= _any("external_id__istartswith", text) | _any("run_id__istartswith", text)
        condition &= one
        words = query_words(as_meant(name))
        for number, word in enumerate(words[:_MOST_OF_AN_ID]):
            is_last = number == len(words) - 1
            if not is_last or len(word) >= _SELECTIVE_PREFIX or not number:
                narrowing = (*narrowing, (tokens.word(word, is_prefix=is_last),))
    return condition, narrowing


def _any(lookup: str, text: str) -> Q:
    condition = Q()
    for reading in _readings(text):
        condition |= Q(**{lookup: reading})
    return condition


def _contains_word(part: str) -> Q:
    return Q(Contains(_Padded(F("search")), part))


def _contains_phrase(phrase: str) -> Q:
    condition = Q()
    for column in ("type", "external_id", "run_id", "worker", "failure"):
        condition |= _any(f"{column}__icontains", phrase)
    return condition
