"""JSON bodies: what is sent is a value or a 400."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from pytest_django import Settings
from rest_framework.exceptions import ParseError

from console.errors import DomainError
from console.rest.parsers import MOST_DEPTH, BoundedJSONParser
from tests.rest import Rest


def parsed(body: bytes) -> Any:
    return BoundedJSONParser().parse(io.BytesIO(body))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 2_500,
        b"[" * 30_000 + b"]" * 30_000,
        b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
        b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1),
        b"NaN",
        b'{"a": Infinity}',
        b"[-Infinity]",
        b"1e400",
        b'{"a": -1e999}',
        b"",
        b"{",
        b"{'a': 1}",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'"\xed\xa0\x80"',
        "²".encode(),
        "١".encode(),
    ],
)
def test_what_is_no_json_of_a_sane_size_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError, match="JSON parse error"):
        parsed(body)


@pytest.mark.parametrize(
    "value", [{}, [], {"a": [1, 2.5, None, True, "é\0"]}, 10**30, "x" * 1_000_000]
)
def test_what_is_json_is_read(value: Any) -> None:
    assert parsed(json.dumps(value).encode()) == value
    deep = b"[" * MOST_DEPTH + b"]" * MOST_DEPTH
    assert json.dumps(parsed(deep)).encode() == deep


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("%s", ""), ("-%s", ""), ('{"a": %s}', "a"), ('{"a": %s, "a": 1}', ""),
        ('{"pods": "5", "b": [{"c": 1}, {"d": [-%s]}]}', "b.1.d.0"),
        ('{"%s": [1, %s]}', None), ('{"\\ud800": %s}', "\ufffd"),
    ],
)  # fmt: skip
def test_a_number_that_nobody_means_is_refused_by_its_place(body: str, field: str | None) -> None:
    with pytest.raises(DomainError) as refusal:
        parsed(body.replace("%s", "9" * 5_000).encode())
    assert (refusal.value.status, refusal.value.code) == (400, "number_too_long")
    expected = f"{'9' * 80}.1" if field is None else field
    assert refusal.value.field == expected
    where = f"{expected}: " if expected else ""
    assert refusal.value.message == (
        f"{where}a number of 5,000 digits is not accepted; use at most 1,000."
    )


def test_a_body_without_a_length_is_not_read_beyond_the_limit(settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    with pytest.raises(RequestDataTooBig):
        parsed(b'"' + b"x" * 200)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["leases/", "proposals/", "preview/", "tenants/", "plans/"])
def test_every_endpoint_answers_such_a_body_with_a_400(path: str) -> None:
    client = Rest("admin").client
    for body in (
        b"[" * 60_000,
        b'{"reason": "\\ud800"}',
        b'{"reason": "a\\u0000"}',
        b'{"a": 1e999}',
    ):
        answer = client.post(f"/api/v1/{path}", body, content_type="application/json")
        assert answer.status_code == 400, (path, body[:30], answer.content)
        assert answer["Content-Type"] == "application/problem+json"
