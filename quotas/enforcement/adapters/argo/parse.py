"""What the API server answered, as an observed placement. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from console.pages.plural import plural
from console.unstructured import mapping, texts
from quotas.enforcement.adapters.argo import names
from quotas.enforcement.adapters.argo.compile import shown_limit
from quotas.enforcement.adapters.argo.locks import Binding
from quotas.enforcement.adapters.kubernetes.fields import count_in
from quotas.enforcement.adapters.kubernetes.items import (
    Item,
    entries_of,
    going,
    is_going,
    metadata_of,
    name_of,
    namespace_of,
    plain,
    spec_of,
    status_of,
    uid_of,
)
from quotas.enforcement.adapters.kubernetes.names import MANAGED_PATH, is_ours
from quotas.enforcement.adapters.kubernetes.owners import holds, is_manager, owners, steps_to
from quotas.enforcement.adapters.kubernetes.parse import MOST_SHOWN, foreign_owner
from quotas.enforcement.ports import ObjectRef, Observed, ObservedObject, Scalar, Usage
from tenants.contracts import PlacementRef, Unreadable

_SWEPT: Final = "holders are counted only when a tenant is read by itself"


@dataclass(frozen=True, slots=True)
class Running:
    """The unfinished workflows of one namespace: those that hold a slot of its parallelism, those
    that wait for one, and (where bodies were read) who holds which lock of ours. `why` says why
    they could not be counted; `unreadable` are those of which something could not be read."""

    slots: int = 0
    queued: int = 0
    bindings: Mapping[str, Binding] | None = None
    why: str = ""
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacementContents:
    """What there is for one placement."""

    namespace: Item | None
    config_map: Item | None
    running: Running
    quota: Item | None = None


def observed(placement: PlacementRef, contents: PlacementContents) -> Observed:
    """One placement. What is being deleted counts as gone."""
    namespace = contents.namespace
    if namespace is None:
        return Observed()
    if is_going(namespace):
        return Observed(warnings=(f"Namespace {placement.location} {going(namespace)}.",))
    objects = []
    entries = entries_of(namespace)
    # A namespace has other managers of ours: only where this one wrote is there something to leave.
    if not placement.leaving or is_manager(entries, us=names.FIELD_MANAGER):
        objects.append(_namespace(namespace, leaving=placement.leaving))
    config_map, quota = _there(contents.config_map), _there(contents.quota)
    if config_map is not None:
        objects.append(_config_map(config_map, leaving=placement.leaving))
    if quota is not None:
        objects.append(_quota(quota, leaving=placement.leaving))
    return Observed(
        objects=tuple(objects),
        usage=tuple(_usage(namespace, config_map, quota, contents.running)),
        foreign=() if config_map is None else _strangers(config_map),
        warnings=_warnings(contents.running),
    )


def observed_object(kind: str, item: Item) -> ObservedObject:
    """One object of ours as the diff sees it, from the answer to a write."""
    return _READERS[kind](item, leaving=False)


def _there(item: Item | None) -> Item | None:
    return None if item is None or is_going(item) else item


def _labels(item: Item) -> dict[str, Scalar]:
    labels = texts(metadata_of(item).get("labels"))
    return {
        f"metadata.labels[{name}]": plain(labels[name]) for name in names.LABELS & labels.keys()
    }


def limit_in(namespace: Item) -> int | None:
    """The number that the label says; None without one that the controller can read."""
    return count_in(mapping(metadata_of(namespace).get("labels")).get(names.LIMIT_LABEL))


def _namespace(item: Item, *, leaving: bool) -> ObservedObject:
    fields, shown = _labels(item), {}
    value = limit_in(item)
    if value is not None:
        fields[names.LIMIT_PATH] = value
        shown[names.LIMIT_PATH] = shown_limit(value)
    # Never deleted by us: workflows live in it, and most often another adapter made it.
    return _object("Namespace", item, fields, shown, leaving=leaving, adopted=True)


def _config_map(item: Item, *, leaving: bool) -> ObservedObject:
    fields = _labels(item)
    data = mapping(item.get("data"))
    for key in own_keys(item):
        value = _value(data.get(key))
        if value != "":
            fields[names.data_path(plain(key))] = value
    return _object("ConfigMap", item, fields, {}, leaving=leaving, adopted=False)


def _quota(item: Item, *, leaving: bool) -> ObservedObject:
    fields = _labels(item)
    for resource, written in mapping(spec_of(item).get("hard")).items():
        fields[f"spec.hard[{plain(resource)}]"] = _value(written)
    return _object("ResourceQuota", item, fields, {}, leaving=leaving, adopted=False)


_READERS: Final = {"Namespace": _namespace, "ConfigMap": _config_map, "ResourceQuota": _quota}


def _value(written: object) -> int | str:
    """What a field says: a number where it says one, else its text."""
    number = count_in(written)
    return plain(written) if number is None else number


def _object(
    kind: str,
    item: Item,
    fields: dict[str, Scalar],
    shown: Mapping[str, str],
    *,
    leaving: bool,
    adopted: bool,
) -> ObservedObject:
    metadata, entries = metadata_of(item), entries_of(item)
    owned = owners(entries, kind, fields, us=names.FIELD_MANAGER)
    labelled, managed = is_ours(metadata), is_manager(entries, us=names.FIELD_MANAGER)
    if not labelled and not managed:
        owned[MANAGED_PATH] = foreign_owner(entries)
    return ObservedObject(
        ref=ObjectRef(kind, namespace_of(item), name_of(item)),
        fields=fields,
        shown=shown,
        owners=owned,
        ours=labelled or (managed and (adopted or not leaving)),
        uid=uid_of(item),
        adopted=adopted,
    )


def own_keys(item: Item) -> frozenset[str]:
    """The keys of a ConfigMap that are ours: those it says, and those that we hold."""
    keys = plain(mapping(metadata_of(item).get("annotations")).get(names.KEYS))
    mine = [entry for entry in entries_of(item) if is_manager((entry,), us=names.FIELD_MANAGER)]
    held = {
        key
        for key in mapping(item.get("data"))
        if any(holds(entry, steps_to("ConfigMap", names.data_path(key))) for entry in mine)
    }
    return frozenset(filter(None, keys.split(","))) | held


def _strangers(item: Item) -> tuple[str, ...]:
    foreign = sorted(map(plain, set(mapping(item.get("data"))) - own_keys(item)))
    if not foreign:
        return ()
    more = len(foreign) - MOST_SHOWN
    others = f" and {more} more" if more > 0 else ""
    listed = ", ".join(foreign[:MOST_SHOWN])
    return (f"ConfigMap {names.CONFIG_MAP} has keys of somebody else: {listed}{others}",)


# -- use -----------------------------------------------------------------------------------------


def _closed(quota: Item | None) -> bool:
    """Whether the API server lets no new workflow in; its controller has to take a quota up."""
    return mapping(status_of(quota or {}).get("hard")).get(names.COUNTED) == "0"


def _usage(
    namespace: Item, config_map: Item | None, quota: Item | None, running: Running
) -> Iterable[Usage]:
    value = limit_in(namespace)
    if _closed(quota):
        yield Usage(names.PARALLELISM, 0, None if running.why else running.slots, why=running.why)
    elif value is not None:
        hard = None if value == names.UNLIMITED else value
        used = None if running.why else running.slots
        yield Usage(names.PARALLELISM, hard, used, why=running.why)
    if config_map is None:
        return
    data = mapping(config_map.get("data"))
    for key in sorted(own_keys(config_map) & data.keys()):
        yield _of_lock(key, count_in(data[key]), running)


def _of_lock(key: str, hard: int | None, running: Running) -> Usage:
    name = f"{names.SEMAPHORE}{key}"
    if running.bindings is None:
        return Usage(name, hard, None, why=running.why or _SWEPT)
    binding = running.bindings.get(key)
    return Usage(name, hard, len(binding.holders) if binding else 0)


def _warnings(running: Running) -> tuple[str, ...]:
    warnings = []
    if running.unreadable:
        number = len(running.unreadable)
        workflows = plural(number, "workflow cannot", "workflows cannot")
        them = "it uses" if number == 1 else "they use"
        warnings.append(
            f"{workflows} be read: whether {them} a semaphore of ours is not known, and so it"
            " counts as using none."
        )
    if running.queued:
        waiting = plural(running.queued, "workflow waits", "workflows wait")
        warnings.append(f"{waiting} for a slot.")
    for key, binding in sorted((running.bindings or {}).items()):
        if binding.naming < binding.unfinished:
            warnings.append(
                f"{names.SEMAPHORE}{key} is enforced for {binding.naming} of"
                f" {binding.unfinished} running workflows: the others do not name the lock."
            )
    return tuple(warnings)
