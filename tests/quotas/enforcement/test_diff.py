"""Changes as JSON: what is stored can be read back as the same change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quotas.enforcement.diff import change_from_json, change_json, changes_json
from quotas.enforcement.ports import Change, FieldChange, ObjectRef, Operation, Owner

QUOTA = ObjectRef("ResourceQuota", "acme", "headroom")
KEY = ObjectRef("TaskQueue", "default", "shared", "acme")
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        Change(Operation.CREATE, QUOTA, (FieldChange("spec.hard[pods]", "", "10", "pods"),)),
        Change(
            Operation.UPDATE,
            KEY,
            (
                FieldChange("weight", "1", "2", "temporal.weight", Owner("tctl", False, AT)),
                FieldChange("queue_rate", "10/s", "", "", Owner("flux", True)),
            ),
        ),
        Change(Operation.DELETE, QUOTA),
    ],
)
def test_a_change_is_read_back_as_it_was_written(change: Change) -> None:
    assert change_from_json(change_json(change)) == change


def test_the_order_of_changes_is_kept() -> None:
    changes = (Change(Operation.DELETE, QUOTA), Change(Operation.CREATE, KEY))
    stored = changes_json(changes)
    assert [item["object"] for item in stored] == [str(QUOTA), str(KEY)]
    assert tuple(map(change_from_json, stored)) == changes
