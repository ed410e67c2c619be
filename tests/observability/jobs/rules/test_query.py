"""The search box: read, written, refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import DomainError
from observability.engines.contracts import BAD, OPEN, Status
from observability.jobs.rules.query import CHIPS, LONGEST_QUERY, Chip, Query, parse

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_chips_words_and_texts_in_quotes_are_told_apart() -> None:
    query = parse('tenant:Acme engine:temporal status:failed since:2h oom "could not connect"')
    assert query.chips == (
        Chip("tenant", "acme"),
        Chip("engine", "temporal"),
        Chip("status", "failed"),
        Chip("since", "2h"),
    )
    assert query.words == ("oom",)
    assert query.phrases == ("could not connect",)


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("status:bad", BAD),
        ("status:open", OPEN),
        ("status:closed", frozenset(Status) - OPEN),
        ("status:failed status:Timed-Out", {Status.FAILED, Status.TIMED_OUT}),
        ("status:failed,lost", {Status.FAILED, Status.LOST}),
        ('status:"timed out"', {Status.TIMED_OUT}),
        ("", frozenset()),
    ],
)
def test_statuses_come_one_by_one_and_in_groups(text: str, statuses: frozenset[Status]) -> None:
    assert parse(text).statuses == statuses


@pytest.mark.parametrize(
    ("text", "took"),
    [
        ("took:>30s", (30_001, None)),
        ("took:>=30s", (30_000, None)),
        ("took:<5m", (None, 299_999)),
        ("took:<=5m", (None, 300_000)),
        ("took:1h30m", (5_400_000, None)),
        ("took:30s..5m", (30_000, 300_000)),
        ("took:>1.5s", (1_501, None)),
        ("", (None, None)),
    ],
)
def test_durations_are_bounds_in_milliseconds(
    text: str, took: tuple[int | None, int | None]
) -> None:
    assert parse(text).took == took


def test_times_are_ages_dates_or_moments() -> None:
    query = parse("since:2h until:2026-11-22T11:30Z")
    assert query.accepted(now=NOON) == (NOON - timedelta(hours=2), NOON - timedelta(minutes=30))
    assert parse("since:2026-11-20").accepted(now=NOON)[0] == datetime(2026, 11, 20, tzinfo=UTC)
    assert parse("oom").accepted(now=NOON) == (None, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tennant:acme", "Did you mean tenant:?"),
        ("duration:>10s", "duration: is no filter. Did you mean took:? There are"),
        ("colour:red", "There are tenant, engine, status"),
        ("colour:red", 'put it in quotes: "colour:red"'),
        ("status:broken", "use bad, open, closed, waiting"),
        ("engine:airflow", "use temporal, argo, celery, kubernetes"),
        ("since:yesterday", "use 30m, 2h, 7d"),
        ("since:999999999w", "use 30m, 2h, 7d"),
        ("took:long", "use >30s, <5m"),
        ("took:5m..30s", "use >30s, <5m"),
        ("since:2h since:3h", "is there twice"),
        ("tenant:", "says nothing"),
        ("a" * (LONGEST_QUERY + 1), "9000 is the most"),
        ("nul\0", "which no text can"),
        ("half \ud800", "which no text can"),
        ("a b c d e f g h i j k l m", "12 words"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(DomainError) as refused:
        parse(text)
    assert says in refused.value.message
    assert (refused.value.code, refused.value.status) == ("invalid_query", 400)


def test_a_link_may_give_chips_as_parameters() -> None:
    query = parse("oom", {"tenant": ["acme"], "status": ["failed", "lost"], "type": ["A B"]})
    assert str(query) == 'tenant:acme status:failed status:lost type:"A B" oom'


def test_addresses_and_times_of_day_are_words() -> None:
    assert parse("https://pay.example/charge 10:30").words == (
        "https://pay.example/charge",
        "10:30",
    )


def test_chips_are_added_once_and_taken_away() -> None:
    query = parse("status:failed status:lost oom")
    assert str(query.plus("status", "lost")) == str(query)
    assert str(query.without("status", "lost")) == "status:failed oom"
    assert str(query.without("status")) == "oom"
    assert not Query()
    assert query


_plain = st.text(
    st.characters(codec="utf-8", exclude_characters='"\0', exclude_categories=["Z", "C"]),
    min_size=1,
    max_size=20,
)


@given(
    st.lists(st.tuples(st.sampled_from(["type", "queue", "worker", "id"]), _plain), max_size=4),
    st.lists(_plain.filter(lambda text: ":" not in text), max_size=4),
    st.lists(st.lists(_plain, min_size=1, max_size=3).map(" ".join), max_size=3),
)
def test_what_is_written_reads_back_the_same(
    chips: list[tuple[str, str]], words: list[str], phrases: list[str]
) -> None:
    query = Query(tuple(dict.fromkeys(Chip(*chip) for chip in chips)), tuple(words), tuple(phrases))
    assert parse(str(query)) == query


def read(text: str) -> Query | DomainError:
    """What comes of a text."""
    try:
        return parse(text)
    except DomainError as refused:
        return refused


@given(st.text(max_size=120))
def test_anything_typed_is_read_or_refused_in_words(text: str) -> None:
    outcome = read(text)
    if isinstance(outcome, DomainError):
        assert outcome.message
    else:
        assert parse(str(outcome)) == outcome
        assert all(chip.name in CHIPS for chip in outcome.chips)
