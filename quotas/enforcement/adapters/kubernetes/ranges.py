"""The LimitRange: what a plan says, what its quotas and ranges demand, what the server adds. Pure.

The server fills in further defaults from `max` and `min`; they are written out here, so that what
is stored is what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from quotas.enforcement.adapters.kubernetes import names
from quotas.plans.contracts import Group, LimitKey, Unit
from quotas.plans.rules.defaults import defaults

Item = dict[tuple[str, str], tuple[int, Unit]]
"""(LimitRange field, resource) to its base value and unit."""


def complete(limits: Mapping[LimitKey, int]) -> tuple[dict[str, Item], list[str]]:
    """LimitRange type to its entries, and what there is to know about defaults that the plan left
    open. `limits` are all that the placement has, quotas too."""
    needed = defaults({key.key: value for key, value in limits.items()})
    added = {key: value for text, value in needed.added.items() if (key := names.limit_key(text))}
    items: dict[str, Item] = {}
    for key, value in {**limits, **added}.items():
        if key.group is Group.LIMIT_RANGE:
            item = items.setdefault(key.range_type, {})
            item[key.range_field, key.resource] = (value, key.unit)
    if "Container" in items:
        _as_the_server_does(items["Container"])
    return items, [note.message for note in needed.notes]


def _as_the_server_does(item: Item) -> None:
    for source, filled in (
        ("max", "default"),
        ("default", "defaultRequest"),
        ("min", "defaultRequest"),
    ):
        for (range_field, resource), entry in list(item.items()):
            if range_field == source:
                item.setdefault((filled, resource), entry)
