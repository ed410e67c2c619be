"""Keyset pages."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.access.models import User
from console.audit.models import Entry
from console.audit.services import Actor, build, record_all
from console.database.keyset import keyset_page
from console.errors import DomainError

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def names(number: int) -> list[str]:
    User.objects.bulk_create(User(username=f"u{index:03}") for index in range(number))
    return [f"u{index:03}" for index in range(number)]


@pytest.mark.django_db
@pytest.mark.parametrize("descending", [False, True])
def test_forth_and_back_again_is_the_same_page(descending: bool) -> None:
    wanted = sorted(names(23), reverse=descending)

    def page(cursor: str) -> tuple[list[str], str, str]:
        got = keyset_page(
            User.objects.all(), cursor=cursor, key=("username",), size=10, descending=descending
        )
        return [user.username for user in got.rows], got.next, got.previous

    first, following, nothing = page("")
    second, last_cursor, _ = page(following)
    last, end, back = page(last_cursor)
    assert (first, second, last) == (wanted[:10], wanted[10:20], wanted[20:])
    assert (nothing, end) == ("", "")
    again, _, to_first = page(back)
    assert again == second
    assert page(to_first)[0] == first
    assert page(to_first)[2] == ""


@pytest.mark.django_db
def test_microseconds_are_not_lost_in_a_cursor() -> None:
    record_all(
        [
            build(
                actor=Actor.loop("sweep"),
                action="a",
                object_type="t",
                object_id=index,
                object_label="x",
                at=AT.replace(microsecond=123450 + index),
            )
            for index in range(9)
        ]
    )
    numbers: list[int] = []
    cursor = ""
    while True:
        page = keyset_page(Entry.objects.all(), cursor=cursor, size=2)
        numbers += [int(entry.object_id) for entry in page.rows]
        cursor = page.next
        if not cursor:
            break
    assert numbers == list(range(8, -1, -1))


@pytest.mark.django_db
def test_an_empty_table_is_one_empty_page() -> None:
    page = keyset_page(Entry.objects.all())
    assert (page.rows, page.next, page.previous) == ([], "", "")


def forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "!",
        "AAAA",
        forged(),
        forged(0),
        forged(2, AT.isoformat(), 1),
        forged(0, "yesterday", 1),
        forged(0, AT.isoformat(), None),
        forged(0, AT.isoformat(), "x"),
        forged(0, AT.isoformat(), 1, 2),
        forged(0, {"a": 1}, 1),
        forged(0, AT.isoformat(), 10**30),
        forged(0, AT.isoformat(), float("inf")),
        forged(0, "2026-11-22T12:00:00", 1),
    ],
)
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(DomainError, match="not one that this list gave out") as refusal:
        keyset_page(Entry.objects.all(), cursor=cursor)
    assert (refusal.value.code, refusal.value.status) == ("invalid_cursor", 400)


DEEP = "[" * 2_500
MOMENTS = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-13-01T00:00:00Z"]


@pytest.mark.parametrize(
    "plain",
    [
        DEEP, DEEP + "]" * 2_500, '{"a":' * 2_500, f"[0,{DEEP}", f"[0,{'9' * 5_000},1]",
        "[0,NaN,1]", "[0,1e400,1]", "[0,-Infinity,Infinity]", '[0,"²",1]', '[0,"١",1]', "[2,1,1]",
        '[0,"2026-11-22T18:00:00Z",1e400]', '[0,"2026-11-22T18:00:00Z",NaN]', "[true,1,1]", "0",
        *(f'[0,"{moment}",1]' for moment in MOMENTS), '[0,"2026-11-22T18:00:00Z","\\ud800"]',
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_a_cursor_that_is_deep_huge_or_no_number_is_refused(plain: str) -> None:
    """For rows by moment and id, by text, and by id alone."""
    cursor = base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")
    for rows, key in ((Entry.objects.all(), ("at", "id")), (User.objects.all(), ("id",))):
        with pytest.raises(DomainError, match="not one that this list gave out"):
            keyset_page(rows, cursor=cursor, key=key)


def test_a_cursor_with_a_character_that_no_database_takes_is_refused() -> None:
    with pytest.raises(DomainError):
        keyset_page(User.objects.all(), cursor=forged(0, "a\0b"), key=("username",))


@given(st.text(min_size=1, max_size=60))
def test_no_text_as_a_cursor_is_worse_than_a_refusal(text: str) -> None:
    with pytest.raises(DomainError):
        keyset_page(Entry.objects.all(), cursor=text)
