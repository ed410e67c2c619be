"""What an object says, as normalised fields: by value, never by spelling. Pure.

Amounts are integers in base units, lists of rules one canonical text; what the server fills in by
itself (protocols, defaults of a LimitRange) is the same on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from console.errors import DomainError
from quotas.enforcement.adapters.kubernetes import names, network
from quotas.enforcement.ports import Scalar
from quotas.plans.contracts import Scope, Unit
from quotas.plans.quantities import format_quantity, humanize, to_base

Fields = dict[str, Scalar]
_RANGE_PREFIX = {"Container": "container", "Pod": "pod", "PersistentVolumeClaim": "pvc"}


@lru_cache(maxsize=65536)
def wire(value: int, unit: Unit) -> str:
    """A base value as Kubernetes writes it."""
    return format_quantity(value, unit)


@lru_cache(maxsize=65536)
def amount(value: int, unit: Unit) -> str:
    """A base value as people read it."""
    return humanize(value, unit)


@lru_cache(maxsize=65536)
def base(text: str, unit: Unit) -> int | None:
    """A quantity in base units; None when it is none."""
    try:
        return to_base(text, unit)
    except DomainError:
        return None


@lru_cache(maxsize=4096)
def hard_path(resource: str) -> str:
    """The path of one entry of a quota."""
    return f"spec.hard[{resource}]"


def range_path(range_type: str, range_field: str, resource: str) -> str:
    """The path of one entry of a LimitRange."""
    return f"spec.limits[{range_type}].{range_field}[{resource}]"


@lru_cache(maxsize=4096)
def resource_unit(resource: str) -> Unit | None:
    """The unit in which a quota counts a resource; None when the catalogue does not know it."""
    key = names.limit_key(resource)
    return None if key is None else key.unit


@lru_cache(maxsize=1024)
def range_unit(range_type: str, range_field: str, resource: str) -> Unit | None:
    """The unit of one entry of a LimitRange."""
    prefix = _RANGE_PREFIX.get(range_type, range_type)
    key = names.limit_key(f"{prefix}.{range_field}.{resource}")
    return None if key is None else key.unit


def read(item: Mapping[str, Any], kind: str) -> tuple[Fields, dict[str, str]]:
    """The fields of an object that we compare, and the texts for people."""
    fields: Fields = {}
    shown: dict[str, str] = {}
    metadata = item["metadata"]
    for name, value in (metadata.get("labels") or {}).items():
        if name in names.LABELS:
            fields[f"metadata.labels[{name}]"] = value
    _READERS[kind](item, fields, shown)
    return fields, shown


def is_as_sent(manifest: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Whether an object is stored word for word as a manifest of ours says; it may be even where
    this is false, as there are many spellings."""
    metadata = stored["metadata"]
    return all(
        stored.get(part) == wanted for part, wanted in manifest.items() if part != "metadata"
    ) and all(
        (metadata.get(part) or {}).items() >= manifest["metadata"].get(part, {}).items()
        for part in ("labels", "annotations")
    )


def _namespace(item: Mapping[str, Any], fields: Fields, shown: dict[str, str]) -> None:
    for name, value in (item["metadata"].get("annotations") or {}).items():
        if name in names.ANNOTATIONS:
            path = f"metadata.annotations[{name}]"
            fields[path] = value
            if name != names.PRIORITY and value.isdecimal():
                shown[path] = amount(int(value), Unit.SECONDS)


def _quota(item: Mapping[str, Any], fields: Fields, shown: dict[str, str]) -> None:
    spec = item["spec"]
    for resource, text in (spec.get("hard") or {}).items():
        _amount(fields, shown, hard_path(resource), text, resource_unit(resource))
    if scopes := quota_scopes(spec):
        fields["spec.scopes"] = "@".join(map(str, scopes))


def _limit_range(item: Mapping[str, Any], fields: Fields, shown: dict[str, str]) -> None:
    for entry in item["spec"].get("limits") or ():
        range_type = entry["type"]
        for range_field, amounts in entry.items():
            if range_field != "type":
                for resource, text in amounts.items():
                    path = range_path(range_type, range_field, resource)
                    unit = range_unit(range_type, range_field, resource)
                    _amount(fields, shown, path, text, unit)


def _amount(fields: Fields, shown: dict[str, str], path: str, text: str, unit: Unit | None) -> None:
    value = None if unit is None else base(text, unit)
    if value is None or unit is None:
        fields[path] = text  # a resource or a spelling that only its writer understands
        return
    fields[path] = value
    shown[path] = amount(value, unit)


def _network_policy(item: Mapping[str, Any], fields: Fields, shown: dict[str, str]) -> None:
    spec = item.get("spec") or {}
    fields["spec"] = network.canonical(spec)
    shown["spec"] = network.in_words(spec)


def _role_binding(item: Mapping[str, Any], fields: Fields, _: dict[str, str]) -> None:
    fields.update(binding_fields(item))


_READERS: Mapping[str, Callable[[Mapping[str, Any], Fields, dict[str, str]], None]] = {
    "Namespace": _namespace,
    "ResourceQuota": _quota,
    "LimitRange": _limit_range,
    "NetworkPolicy": _network_policy,
    "RoleBinding": _role_binding,
}


def binding_fields(body: Mapping[str, Any]) -> Fields:
    """Role and subjects of a RoleBinding as two texts."""
    role = body["roleRef"]
    subjects = sorted(
        "/".join(filter(None, (subject["kind"], subject.get("namespace", ""), subject["name"])))
        for subject in body.get("subjects") or ()
    )
    return {"roleRef": f"{role['kind']}/{role['name']}", "subjects": ", ".join(subjects)}


def quota_scopes(spec: Mapping[str, Any]) -> tuple[Scope, ...]:
    """The scopes of a quota, sorted as limit keys sort them; both of its notations."""
    plain = [Scope(name) for name in spec.get("scopes") or ()]
    selector = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    if not plain and not selector:
        return ()
    matched = [
        Scope(
            expression["scopeName"],
            expression["operator"],
            tuple(sorted(expression.get("values") or ())),
        )
        for expression in selector
    ]
    return tuple(sorted((*plain, *matched), key=str))
