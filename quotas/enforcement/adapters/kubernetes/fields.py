"""What an object says, as normalised fields: by value, never by spelling. Pure.

Amounts are integers in base units, lists of rules one canonical text; what the server fills in by
itself (protocols, defaults of a LimitRange) is the same on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from console.errors import DomainError
from console.unstructured import mapping, mappings, sequence, texts, whole
from quotas.enforcement.adapters.kubernetes import names, network
from quotas.enforcement.adapters.kubernetes.items import Item, metadata_of, plain, spec_of
from quotas.enforcement.ports import Scalar
from quotas.plans.contracts import Scope, Unit
from quotas.plans.quantities import format_quantity, humanize, to_base

Fields = dict[str, Scalar]
_LONGEST_QUANTITY = 64
_RANGE_PREFIX = {"Container": "container", "Pod": "pod", "PersistentVolumeClaim": "pvc"}


@lru_cache(maxsize=65536)
def wire(value: int, unit: Unit) -> str:
    """A base value as Kubernetes writes it."""
    return format_quantity(value, unit)


@lru_cache(maxsize=65536)
def amount(value: int, unit: Unit) -> str:
    """A base value as people read it."""
    return humanize(value, unit)


def base(text: str, unit: Unit) -> int | None:
    """A quantity in base units; None when it is none."""
    return _base(text, unit) if len(text) <= _LONGEST_QUANTITY else None


@lru_cache(maxsize=65536)
def _base(text: str, unit: Unit) -> int | None:
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


def read(item: Item, kind: str) -> tuple[Fields, dict[str, str]]:
    """The fields of an object that we compare, and the texts for people."""
    fields: Fields = {}
    shown: dict[str, str] = {}
    for name, value in texts(metadata_of(item).get("labels")).items():
        if name in names.LABELS:
            fields[f"metadata.labels[{name}]"] = plain(value)
    _READERS[kind](item, fields, shown)
    return fields, shown


def is_as_sent(manifest: Item, stored: Item) -> bool:
    """Whether an object is stored word for word as a manifest of ours says; it may be even where
    this is false, as there are many spellings."""
    metadata, sent = metadata_of(stored), metadata_of(manifest)
    return all(
        stored.get(part) == wanted for part, wanted in manifest.items() if part != "metadata"
    ) and all(
        mapping(metadata.get(part)).items() >= mapping(sent.get(part)).items()
        for part in ("labels", "annotations")
    )


def _namespace(item: Item, fields: Fields, shown: dict[str, str]) -> None:
    for name, value in texts(metadata_of(item).get("annotations")).items():
        if name in names.ANNOTATIONS:
            path = f"metadata.annotations[{name}]"
            fields[path] = plain(value)
            seconds = None if name == names.PRIORITY else count_in(value)
            if seconds is not None:
                shown[path] = amount(seconds, Unit.SECONDS)


def count_in(value: object) -> int | None:
    """The whole number, not below zero, that a text says; None for anything else."""
    number = whole(value) if isinstance(value, str) else None
    return number if number is not None and number >= 0 else None


def _quota(item: Item, fields: Fields, shown: dict[str, str]) -> None:
    spec = spec_of(item)
    for resource, value in mapping(spec.get("hard")).items():
        _amount(fields, shown, hard_path(plain(resource)), value, resource_unit(resource))
    if scopes := quota_scopes(spec):
        fields["spec.scopes"] = "@".join(map(str, scopes))


def _limit_range(item: Item, fields: Fields, shown: dict[str, str]) -> None:
    for range_type, range_field, resource, value in range_entries(item):
        path = range_path(range_type, range_field, resource)
        _amount(fields, shown, path, value, range_unit(range_type, range_field, resource))


def range_entries(item: Item) -> Iterator[tuple[str, str, str, object]]:
    """The entries of a LimitRange: what it is for, the field, the resource, the amount."""
    for entry in mappings(spec_of(item).get("limits")):
        range_type = plain(entry.get("type"))
        for range_field, amounts in entry.items():
            for resource, value in mapping(amounts).items():
                yield range_type, plain(range_field), plain(resource), value


def _amount(
    fields: Fields, shown: dict[str, str], path: str, value: object, unit: Unit | None
) -> None:
    text = plain(value)
    number = None if unit is None else base(text, unit)
    if number is None or unit is None:
        fields[path] = text  # a resource or a spelling that only its writer understands
        return
    fields[path] = number
    shown[path] = amount(number, unit)


def _network_policy(item: Item, fields: Fields, shown: dict[str, str]) -> None:
    spec = spec_of(item)
    fields["spec"] = network.canonical(spec)
    shown["spec"] = network.in_words(spec)


def _role_binding(item: Item, fields: Fields, _: dict[str, str]) -> None:
    fields.update(binding_fields(item))


_READERS: Mapping[str, Callable[[Item, Fields, dict[str, str]], None]] = {
    "Namespace": _namespace,
    "ResourceQuota": _quota,
    "LimitRange": _limit_range,
    "NetworkPolicy": _network_policy,
    "RoleBinding": _role_binding,
}


def binding_fields(body: Item) -> Fields:
    """Role and subjects of a RoleBinding as two texts."""
    role = mapping(body.get("roleRef"))
    subjects = sorted(
        "/".join(filter(None, (plain(subject.get(name)) for name in ("kind", "namespace", "name"))))
        for subject in mappings(body.get("subjects"))
    )
    return {
        "roleRef": f"{plain(role.get('kind'))}/{plain(role.get('name'))}",
        "subjects": ", ".join(subjects),
    }


def quota_scopes(spec: Item) -> tuple[Scope, ...]:
    """The scopes of a quota, sorted as limit keys sort them; both of its notations."""
    scopes = [Scope(plain(name)) for name in sequence(spec.get("scopes"))]
    selector = mapping(spec.get("scopeSelector")).get("matchExpressions")
    scopes += [
        Scope(
            plain(expression.get("scopeName")),
            plain(expression.get("operator")),
            tuple(sorted(map(plain, sequence(expression.get("values"))))),
        )
        for expression in mappings(selector)
    ]
    return tuple(sorted(scopes, key=str))
