"""Use of each limit as the cluster reports it, and an independent count. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from console.unstructured import mapping
from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.adapters.kubernetes.fields import (
    base,
    count_in,
    quota_scopes,
    range_entries,
    resource_unit,
)
from quotas.enforcement.adapters.kubernetes.items import (
    Item,
    metadata_of,
    plain,
    spec_of,
    status_of,
)
from quotas.enforcement.adapters.kubernetes.recount import recount
from quotas.enforcement.ports import Usage
from quotas.plans.contracts import Scope

NOT_FILLED: Final = "the cluster's quota controller has not filled in status.hard yet"
NOT_REPORTED: Final = "the cluster's quota controller reports no use of it yet"
PER_OBJECT: Final = "it applies to each object; nothing adds up"
PER_JOB: Final = "it applies to each Job; nothing adds up"
_RANGE_PREFIX: Final = {"Container": "container", "Pod": "pod", "PersistentVolumeClaim": "pvc"}


def usage(
    namespace: Item | None,
    quotas: Sequence[Item],
    ranges: Sequence[Item],
    counted: Mapping[str, Iterable[Item]] | None,
) -> tuple[Usage, ...]:
    """Every limit in force in a namespace. Several quotas on one thing: the smallest wins.

    `counted` are the namespace's objects by kind, when use is to be counted again.
    """
    by_key: dict[str, Usage] = {}
    for quota in sorted(quotas, key=_foreign):
        for new in _of_quota(quota, counted):
            old = by_key.get(new.key)
            by_key[new.key] = new if old is None else _tighter(old, new)
    return (*by_key.values(), *_of_ranges(ranges), *_of_execution(namespace))


def _foreign(quota: Item) -> bool:
    return not names.is_ours(metadata_of(quota))


def _tighter(mine: Usage, other: Usage) -> Usage:
    """Our quota's numbers, with the smaller of both amounts."""
    if other.hard is None or (mine.hard is not None and mine.hard <= other.hard):
        return mine
    used, why = (other.used, other.why) if mine.used is None else (mine.used, mine.why)
    return Usage(mine.key, other.hard, used, mine.recounted, why)


def _of_quota(quota: Item, counted: Mapping[str, Iterable[Item]] | None) -> Iterable[Usage]:
    spec, status = spec_of(quota), status_of(quota)
    hard, used = mapping(status.get("hard")), mapping(status.get("used"))
    scopes = quota_scopes(spec)
    for resource in mapping(spec.get("hard")):
        unit = resource_unit(resource)
        if unit is None:
            continue
        again = None if counted is None else recount(counted, resource, scopes)
        key = _key(resource, scopes)
        if resource not in hard:
            yield Usage(key, None, None, again, NOT_FILLED)
        elif resource not in used:
            yield Usage(key, base(plain(hard[resource]), unit), None, again, NOT_REPORTED)
        else:
            hard_amount = base(plain(hard[resource]), unit)
            yield Usage(key, hard_amount, base(plain(used[resource]), unit), again)


@lru_cache(maxsize=4096)
def _key(resource: str, scopes: tuple[Scope, ...]) -> str:
    key = names.limit_key(resource)
    plain = resource if key is None else key.key
    return plain + "".join(f"@{scope}" for scope in scopes)


def _of_ranges(ranges: Sequence[Item]) -> Iterable[Usage]:
    for item in ranges:
        for range_type, field, resource, value in range_entries(item):
            prefix = _RANGE_PREFIX.get(range_type, "")
            yield from _of_range(f"{prefix}.{field}.{resource}", plain(value))


def _of_range(text: str, value: str) -> Iterable[Usage]:
    key = names.limit_key(text)
    if key is not None:
        yield Usage(key.key, base(value, key.unit), None, None, PER_OBJECT)


def _of_execution(namespace: Item | None) -> Iterable[Usage]:
    annotations = {} if namespace is None else mapping(metadata_of(namespace).get("annotations"))
    for field, annotation in names.EXECUTION.items():
        seconds = count_in(annotations.get(annotation))
        if seconds is not None:
            yield Usage(f"job.{field}", seconds, None, None, PER_JOB)
