"""Mutants differ from their recording, come again with their seed, and leave it as it was."""

from __future__ import annotations

import copy

from tests.mutations import mutants

RECORDING = {
    "metadata": {"name": "a", "creationTimestamp": "2026-11-29T12:00:00Z", "labels": {"x": "y"}},
    "status": {"nodes": [{"id": "1", "exit": 3}, {"id": "2", "done": True}]},
}


def test_a_mutant_comes_again_with_its_seed_and_number() -> None:
    once = [str(mutant) for mutant in mutants([RECORDING], 200, seed=7)]
    assert once == [str(mutant) for mutant in mutants([RECORDING], 200, seed=7)]
    assert once != [str(mutant) for mutant in mutants([RECORDING], 200, seed=8)]
    assert len(set(once)) > 150


def test_the_recording_stays_as_it_was() -> None:
    before = copy.deepcopy(RECORDING)
    for _ in mutants([RECORDING, RECORDING], 300):
        pass
    assert before == RECORDING


def test_nearly_every_mutant_differs_from_its_recording() -> None:
    same = sum(
        repr_or_none(mutant.value) == repr(RECORDING) for mutant in mutants([RECORDING], 300)
    )
    assert same < 30


def repr_or_none(value: object) -> str | None:
    """What is nested too deep has no `repr`, so it differs."""
    try:
        return repr(value)
    except (RecursionError, ValueError):
        return None
