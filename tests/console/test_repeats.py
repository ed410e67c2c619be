"""A fault is logged once, and the memory of that is bounded."""

from __future__ import annotations

from console.repeats import Repeats


def test_a_fault_is_new_once() -> None:
    repeats = Repeats()
    assert repeats.is_new("Workflow", "odd", "ValueError")
    assert not repeats.is_new("Workflow", "odd", "ValueError")
    assert repeats.is_new("Workflow", "odd", "KeyError")


def test_the_oldest_is_forgotten_first() -> None:
    repeats = Repeats(most=2)
    assert [repeats.is_new(name) for name in "abcb"] == [True, True, True, False]
    assert repeats.is_new("a")


def test_what_is_met_again_and_again_is_not_forgotten() -> None:
    repeats = Repeats(most=2)
    assert [repeats.is_new(name) for name in "abacada"] == [
        *(True, True, False, True, False, True, False)
    ]
