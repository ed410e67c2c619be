"""The LimitRange: what the plan says, what a quota makes necessary, what the server adds. Pure.

A quota on CPU or memory refuses every pod that does not say how much it wants, so a plan with such
a quota always gets defaults. The server fills in further defaults from `max` and `min`; they are
written out here, so that what is stored is what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quotas.enforcement.adapters.kubernetes.fields import amount
from quotas.plans.contracts import LimitKey, Unit

Item = dict[tuple[str, str], tuple[int, Unit]]
"""(LimitRange field, resource) to its base value and unit."""

_MI: Final = 2**20
_REQUEST: Final = {"cpu": 100, "memory": 128 * _MI, "ephemeral-storage": 256 * _MI}
_LIMIT: Final = {"cpu": 500, "memory": 256 * _MI, "ephemeral-storage": 1024 * _MI}
_UNITS: Final = {
    "cpu": Unit.MILLICORES, "memory": Unit.BYTES, "ephemeral-storage": Unit.BYTES,
}  # fmt: skip


def complete(
    written: Mapping[LimitKey, int], quota: Mapping[LimitKey, int]
) -> tuple[dict[str, Item], list[str]]:
    """LimitRange type to its entries, and a warning for each default that the plan left open."""
    items: dict[str, Item] = {}
    for key, value in written.items():
        item = items.setdefault(key.range_type, {})
        item[key.range_field, key.resource] = (value, key.unit)
    counted = {key.resource for key in quota}
    warnings: list[str] = []
    for resource, unit in _UNITS.items():
        if f"limits.{resource}" in counted:
            _fill(items, "default", resource, unit, warnings)
        if f"requests.{resource}" in counted:
            _fill(items, "defaultRequest", resource, unit, warnings)
    if "Container" in items:
        _as_the_server_does(items["Container"])
    return items, warnings


def _fill(
    items: dict[str, Item], range_field: str, resource: str, unit: Unit, warnings: list[str]
) -> None:
    item = items.get("Container", {})
    # With a `max` the server makes it the default, and a default is a default request too.
    sources = {
        "default": ("default", "max"),
        "defaultRequest": ("defaultRequest", "default", "max"),
    }
    if any((source, resource) in item for source in sources[range_field]):
        return
    standard = (_LIMIT if range_field == "default" else _REQUEST)[resource]
    least = item.get(("min", resource), (0, unit))[0]
    request = item.get(("defaultRequest", resource), (0, unit))[0]
    value = max(standard, least, request if range_field == "default" else 0)
    items.setdefault("Container", item)[range_field, resource] = (value, unit)
    warnings.append(
        f"The plan has no container.{range_field}.{resource}, which its quota makes necessary:"
        f" {amount(value, unit)} is used."
    )


def _as_the_server_does(item: Item) -> None:
    for source, filled in (
        ("max", "default"),
        ("default", "defaultRequest"),
        ("min", "defaultRequest"),
    ):
        for (range_field, resource), entry in list(item.items()):
            if range_field == source:
                item.setdefault((filled, resource), entry)
