"""What changed between two values."""

from console.pages.diff import ValueChange, field_changes


def test_nested_values_are_compared_field_by_field() -> None:
    before = {"limits": {"cpu": 40, "pods": 10}, "name": "a"}
    after = {"limits": {"cpu": 30, "pods": 10}, "name": "a"}
    assert field_changes(before, after) == [ValueChange("limits.cpu", "changed", 40, 30)]


def test_something_out_of_nothing_is_added_field_by_field() -> None:
    assert field_changes(None, {"b": 1, "a": None}) == [
        ValueChange("a", "added", after=None),
        ValueChange("b", "added", after=1),
    ]
    assert field_changes({"a": 0}, None) == [ValueChange("a", "removed", before=0)]


def test_zero_and_nothing_differ() -> None:
    assert field_changes({"a": 0}, {"a": None}) == [ValueChange("a", "changed", 0, None)]


def test_lists_are_one_value() -> None:
    assert field_changes([1, 2], [1, 3]) == [ValueChange("", "changed", [1, 2], [1, 3])]
    assert field_changes([1], [1]) == []
