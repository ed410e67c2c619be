"""A mistake of ours with one answer is that answer's alone."""

from __future__ import annotations

import pytest

from console.clients.temporal.connection import UNDECODABLE
from console.clients.temporal.decoding import decoded
from console.errors import Refused


def test_what_is_read_is_given() -> None:
    assert decoded("describe workflow w", int, "5") == 5


def test_a_mistake_is_told_as_what_nothing_can_decode() -> None:
    with pytest.raises(Refused) as refusal:
        decoded("describe workflow w", int, "five")
    assert refusal.value.code == UNDECODABLE
    assert refusal.value.message == (
        "describe workflow w: the answer cannot be decoded (ValueError while reading it)"
    )
    assert isinstance(refusal.value.__cause__, ValueError)
