"""What the server refuses in a LimitRange."""

from collections.abc import Iterator

from deploy.emulators.kubernetes import quantities
from deploy.emulators.kubernetes.errors import Cause, value_invalid, value_required
from deploy.emulators.kubernetes.kinds import Obj
from deploy.emulators.kubernetes.resource_names import is_more, quoted, resource_name


def check_limit_range(obj: Obj, _old: Obj | None) -> Iterator[Cause]:
    """Yield what is wrong with a LimitRange."""
    types: set[str] = set()
    for index, item in enumerate(obj["spec"].get("limits") or ()):
        field = f"spec.limits[{index}]"
        sort = item.get("type", "")
        if sort in types:
            text = f"Duplicate value: {quoted(sort)}"
            yield Cause(f"{field}.type", "FieldValueDuplicate", text)
            continue
        types.add(sort)
        yield from _limit_item(item, sort, field)


def _limit_item(item: Obj, sort: str, field: str) -> Iterator[Cause]:
    if sort not in ("Container", "Pod", "PersistentVolumeClaim") and "/" not in sort:
        words = "must be a standard limit type or fully qualified"
        yield value_invalid(f"{field}.type", quoted(sort), words)
    for key in ("default", "defaultRequest"):
        if sort == "Pod" and item.get(key):
            text = "Forbidden: may not be specified when `type` is 'Pod'"
            yield Cause(f"{field}.{key}", "FieldValueForbidden", text)
    if sort == "PersistentVolumeClaim" and not any(
        "storage" in (item.get(key) or {}) for key in ("min", "max")
    ):
        words = "either minimum or maximum storage value is required, but neither was provided"
        yield value_required(f"{field}.limits", words)
    names = {name for value in item.values() if isinstance(value, dict) for name in value}
    for name in sorted(names):
        yield from _limit_name(item, name, field)


def _limit_name(item: Obj, name: str, field: str) -> Iterator[Cause]:
    for key in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
        if name in (item.get(key) or {}):
            yield from resource_name(name, f"{field}.{key}[{name}]")
    bounds = {key: value[name] for key, value in item.items() if name in value and key != "type"}
    for low, low_words, high, high_words in _ORDERED:
        if low in bounds and high in bounds and is_more(bounds[low], bounds[high]):
            words = f"{low_words} value {bounds[low]} is greater than {high_words} value "
            words += bounds[high]
            shown = bounds[high] if (low, high) == ("default", "max") else bounds[low]
            yield value_invalid(f"{field}.{low}[{name}]", quoted(shown), words)
    ratio = bounds.get("maxLimitRequestRatio")
    if ratio and quantities.parse(ratio).value < 1:
        where = f"{field}.maxLimitRequestRatio[{name}]"
        yield value_invalid(where, quoted(ratio), f"ratio {ratio} is less than 1")


_ORDERED = (
    ("min", "min", "max", "max"),
    ("min", "min", "defaultRequest", "default request"),
    ("defaultRequest", "default request", "max", "max"),
    ("defaultRequest", "default request", "default", "default limit"),
    ("default", "default", "max", "max"),
)
