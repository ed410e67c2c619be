"""Secrets are blanked out wherever jobs put them."""

from __future__ import annotations

import pytest

from observability.engines.contracts import MASK
from observability.ingest.rules.masking import Masker

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
        ("({'password': 'hunter2', 'n': 1},)", "hunter2"),
        ("{'password': b'hunter2'}", "hunter2"),
        ('{"password": "ab\\"hunter2"}', "hunter2"),
        ("{'password': 'it\\'s hunter2'}", "hunter2"),
        ('{"a": "{\\\\\\"password\\\\\\": \\\\\\"hunter2\\\\\\"}"}', "hunter2"),
        ("{'secrets': {'user': 'hunter2'}}", "hunter2"),
        ("{'secret': SecretStr('hunter2')}", "hunter2"),
        ("run --db-password hunter2 now", "hunter2"),
        ("('--token', 'hunter2')", "hunter2"),
        ("Authorization: Token hunter2", "hunter2"),
        ("<db:password>hunter2</db:password>", "hunter2"),
        ("postgres://me:p@hunter2@db/x", "hunter2"),
        (f"PASSWORD='{'x' * 3000}hunter2'", "hunter2"),
    ],
)
def test_a_secret_in_a_text_is_blanked_out(text: str, secret: str) -> None:
    masked = MASKER.text(text)
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=512",
        "nothing here",
        "the token has expired",
        "-p 3 --secretive",
        "https://example.com/a@b",
        "the passage of time: 3",
    ],
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


@pytest.mark.parametrize(
    ("detail", "masked"),
    [
        (
            {"env": [{"name": "DB_PASSWORD", "value": "x"}, {"name": "A", "value": "b"}]},
            {"env": [{"name": "DB_PASSWORD", "value": MASK}, {"name": "A", "value": "b"}]},
        ),
        ({"key": "token", "value": {"a": 1}}, {"key": "token", "value": MASK}),
        (
            {"args": ["run", "--password", "x", "--api-key", "-v", "y"]},
            {"args": ["run", "--password", MASK, "--api-key", "-v", "y"]},
        ),
        ({"headers": [["authorization", "x"]]}, {"headers": [["authorization", MASK]]}),
    ],
)
def test_values_beside_the_name_of_a_secret_are_blanked_out(
    detail: dict[str, object], masked: dict[str, object]
) -> None:
    assert MASKER.value(detail) == masked


@pytest.mark.parametrize("patterns", [["secret", "api[-_]?key"], ["SECRET", "api[-_]?key"]])
@pytest.mark.parametrize("text", ["a SeCrEt b", "Api_Key", "\u017fecret", "caf\u00e9 SECRET"])
def test_the_short_way_misses_no_name(patterns: list[str], text: str) -> None:
    assert Masker(patterns).may_touch(text)


def test_the_short_way_touches_no_more_than_it_must() -> None:
    assert not Masker(["secret", "api[-_]?key"]).may_touch("order 7 of worker-3")
