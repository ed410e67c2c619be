"""Secrets are blanked out wherever jobs put them."""

from __future__ import annotations

import pytest

from observability.jobs.rules.masking import MASK, Masker

MASKER = Masker(
    ["passw(or)?d", "secret", "token(?!s)", "authorization", "api[-_]?key", "value:XX-\\d+"]
)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghij"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("db password=hunter2 failed", "hunter2"),
        ('{"api_key": "k-123", "n": 1}', "k-123"),
        ('{\\"password\\": \\"hunter2\\"}', "hunter2"),
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        (f"token was {JWT}", JWT),
        (f"key: {PEM} end", "MIIEabc"),
        ("postgres://me:s3cr3t@db:5432/x", "s3cr3t"),
        ("redis://:pw123@host/0", "pw123"),
        ("order XX-12345 refused", "XX-12345"),
    ],
)
def test_a_secret_in_a_text_is_blanked_out(text: str, secret: str) -> None:
    masked = MASKER.text(text)
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    ["max_tokens=512", "nothing here", "https://example.com/a@b", "the passage of time: 3"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert MASKER.text(text) == text


def test_values_of_secret_keys_are_blanked_out_at_any_depth() -> None:
    detail = {
        "input": [{"Password": "x", "user": "ada"}, {"nested": {"API-Key": ["a", "b"]}}],
        "token": None,
        "secret": "",
        "has_password": True,
    }
    assert MASKER.value(detail) == {
        "input": [{"Password": MASK, "user": "ada"}, {"nested": {"API-Key": MASK}}],
        "token": None,
        "secret": "",
        "has_password": True,
    }


def test_structures_without_an_end_do_not_stop_it() -> None:
    deep: dict[str, object] = {"password": "x"}
    for _ in range(500):
        deep = {"a": deep}
    assert "'x'" not in repr(MASKER.value(deep))
