"""JSON that anybody may have written is read but for what cannot be kept, and written again."""

from __future__ import annotations

import pytest

from console.lenient_json import DEEPEST, NO_NUMBER, TOO_DEEP, dumps, loads


def nested(depth: int, inside: str = "1") -> str:
    """An object in an object in an object …"""
    return '{"a":' * depth + inside + "}" * depth


@pytest.mark.parametrize("depth", [1100, 2000, 9900])
def test_only_what_is_nested_too_deep_is_lost(depth: int) -> None:
    deep = f'{{"metadata": {{"name": "deep"}}, "spec": {nested(depth)}}}'
    raw = (
        f'{{"items": [{{"metadata": {{"name": "first"}}}}, {deep}, {{"metadata": {{}}}}], "x": 1}}'
    )
    answer = loads(raw.encode())
    assert answer["items"][0] == {"metadata": {"name": "first"}}
    assert answer["items"][1]["metadata"] == {"name": "deep"}
    assert answer["items"][2] == {"metadata": {}}
    assert answer["x"] == 1
    inside, levels = answer["items"][1]["spec"], 0
    while isinstance(inside, dict):
        inside, levels = inside["a"], levels + 1
    assert inside == TOO_DEEP
    assert 0 < levels <= DEEPEST
    assert dumps(answer)


def test_brackets_in_texts_are_no_depth() -> None:
    raw = '{"a": "' + "{[" * 3000 + '\\"", "deep": ' + nested(1500) + "}"
    answer = loads(raw.encode())
    assert answer["a"] == "{[" * 3000 + '"'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": 1e400, "b": 2}', {"a": NO_NUMBER, "b": 2}),
        (b'{"a": NaN, "b": 2}', {"a": NO_NUMBER, "b": 2}),
        (b'{"a": ' + b"9" * 5000 + b', "b": 2}', {"a": NO_NUMBER, "b": 2}),
        (b'{"a": "\xff", "b": 2}', {"a": "\ufffd", "b": 2}),
    ],
)
def test_only_the_value_that_cannot_be_kept_is_lost(text: bytes, value: object) -> None:
    assert loads(text) == value


@pytest.mark.parametrize(
    "text", [b"", b"<html>", b'{"a": ', b"[1,", b'{"a": "', b"]" * 9, b"{" * 9999]
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        loads(text)


def test_anything_can_be_written() -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    odd = {
        "deep": deep,
        "huge": 10**5000,
        "large": 2**70,
        "half \ud800": "\udfff",
        "nan": float("nan"),
    }
    again = loads(dumps(odd))
    assert again["huge"] == NO_NUMBER
    assert again["large"] == str(2**70)
    assert again["half \ufffd"] == "\ufffd"
    assert again["nan"] is None
