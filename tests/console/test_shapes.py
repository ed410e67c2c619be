"""What is not of the shape that a reader looks for is named; the part that is, is small."""

from __future__ import annotations

from typing import Any

import pytest

from console.shapes import FLAG, MOMENT, MOST, TEXT, WHOLE, Each, Fields, Values, either, misfits
from tests.fuzzing import fuzz_examples
from tests.mutations import mutants

SHAPE = Fields(
    {"apiVersion": TEXT},
    metadata=Fields(name=TEXT, labels=Values(TEXT), creationTimestamp=MOMENT),
    spec=Fields(suspend=FLAG, parallelism=WHOLE, templates=Each(Fields(name=TEXT))),
    code=either("a number", TEXT, WHOLE),
)
GOOD: dict[str, Any] = {
    "apiVersion": "v1",
    "metadata": {"name": "a", "labels": {"b": "c"}, "creationTimestamp": "2026-11-29T12:00:00Z"},
    "spec": {"suspend": False, "parallelism": 3, "templates": [{"name": "x", "more": [1]}]},
    "code": "137",
    "unheardOf": 5,
}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({}, ""),
        ({"metadata": None, "spec": {"templates": None, "suspend": None}}, ""),
        ({"metadata": {"creationTimestamp": "0001-01-01T00:00:00Z"}}, ""),  # Go's zero
        ({"spec": {"templates": ["oops"]}}, "spec.templates[0] is a text, not an object"),
        ({"spec": {"templates": [None]}}, "spec.templates[0] is null"),
        ({"spec": {"templates": {"x": 1}}}, "spec.templates is an object, not a list"),
        ({"spec": []}, "spec is a list, not an object"),
        ({"spec": {"parallelism": 1.5}}, "spec.parallelism is a number, not a whole number"),
        ({"spec": {"parallelism": True}}, "spec.parallelism is true or false, not a whole number"),
        ({"code": {}}, "code is an object, not a number"),
        (
            {"metadata": {"creationTimestamp": "soon"}},
            "metadata.creationTimestamp is a text, not a time",
        ),
        (
            {"metadata": {"labels": {"a": 1, "b": 2, "c": 3, "d": 4, "e": None}}},
            "metadata.labels.a is a number, not a text; metadata.labels.b is a number, not a text;"
            " metadata.labels.c is a number, not a text; and 2 more",
        ),
    ],
)  # fmt: skip
def test_what_is_of_another_shape_is_named(changed: dict[str, Any], problem: str) -> None:
    value = {**GOOD, **changed}
    assert misfits(value, SHAPE) == problem
    assert misfits(SHAPE.part(value), SHAPE) == problem


def test_a_whole_value_may_be_something_else() -> None:
    assert misfits("oops", SHAPE) == "it is a text, not an object"
    assert misfits(None, SHAPE) == ""


def test_very_many_are_not_counted_to_their_end() -> None:
    many = {**GOOD, "spec": {"templates": [5] * 1_000_000}}
    assert misfits(many, SHAPE).endswith(f"; and at least {MOST - 3} more")


def test_the_part_has_nothing_that_nobody_looks_at() -> None:
    large = {**GOOD, "spec": {"templates": [{"name": "n" * 10**6, "image": "x" * 10**6}] * 3}}
    part = SHAPE.part(large)
    assert "unheardOf" not in part
    assert part["metadata"] == GOOD["metadata"]
    assert [sorted(template) for template in part["spec"]["templates"]] == [["name"]] * 3
    assert len(part["spec"]["templates"][0]["name"]) == 4000
    assert SHAPE.part({"spec": {"templates": "t" * 10**6}})["spec"]["templates"] == "t" * 4000


@pytest.mark.fuzz
def test_the_part_of_anything_has_the_same_misfits() -> None:
    for mutant in mutants([GOOD], fuzz_examples()):
        whole = misfits(mutant.value, SHAPE)
        assert misfits(SHAPE.part(mutant.value), SHAPE) == whole, str(mutant)
