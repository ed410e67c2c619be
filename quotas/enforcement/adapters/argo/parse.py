"""What the API server answered, as an observed placement. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from console.pages.plural import plural
from quotas.enforcement.adapters.argo import names
from quotas.enforcement.adapters.argo.compile import shown_limit
from quotas.enforcement.adapters.argo.locks import Binding
from quotas.enforcement.adapters.kubernetes.names import MANAGED_PATH, is_ours
from quotas.enforcement.adapters.kubernetes.owners import holds, is_manager, owners, steps_to
from quotas.enforcement.adapters.kubernetes.parse import foreign_owner
from quotas.enforcement.ports import ObjectRef, Observed, ObservedObject, Scalar, Usage
from tenants.contracts import PlacementRef

Item = Mapping[str, Any]
_SWEPT: Final = "holders are counted only when a tenant is read by itself"


@dataclass(frozen=True, slots=True)
class Running:
    """The unfinished workflows of one namespace: those that hold a slot of its parallelism, those
    that wait for one, and (where bodies were read) who holds which lock of ours. `why` says why
    they could not be counted."""

    slots: int = 0
    queued: int = 0
    bindings: Mapping[str, Binding] | None = None
    why: str = ""


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
    if "deletionTimestamp" in namespace["metadata"]:
        return Observed(warnings=(f"Namespace {placement.location} is being deleted.",))
    objects = []
    entries = namespace["metadata"].get("managedFields") or ()
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
    return None if item is None or "deletionTimestamp" in item["metadata"] else item


def _labels(metadata: Mapping[str, Any]) -> dict[str, Scalar]:
    labels = metadata.get("labels") or {}
    return {f"metadata.labels[{name}]": labels[name] for name in names.LABELS & labels.keys()}


def limit_in(metadata: Mapping[str, Any]) -> int | None:
    """The number that the label says; None without one that the controller can read."""
    text = str((metadata.get("labels") or {}).get(names.LIMIT_LABEL, ""))
    return int(text) if text.isdecimal() else None


def _namespace(item: Item, *, leaving: bool) -> ObservedObject:
    fields, shown = _labels(item["metadata"]), {}
    value = limit_in(item["metadata"])
    if value is not None:
        fields[names.LIMIT_PATH] = value
        shown[names.LIMIT_PATH] = shown_limit(value)
    # Never deleted by us: workflows live in it, and most often another adapter made it.
    return _object("Namespace", item, fields, shown, leaving=leaving, adopted=True)


def _config_map(item: Item, *, leaving: bool) -> ObservedObject:
    fields = _labels(item["metadata"])
    for key in own_keys(item):
        text = str((item.get("data") or {}).get(key, ""))
        if text:
            fields[names.data_path(key)] = int(text) if text.isdecimal() else text
    return _object("ConfigMap", item, fields, {}, leaving=leaving, adopted=False)


def _quota(item: Item, *, leaving: bool) -> ObservedObject:
    fields = _labels(item["metadata"])
    for resource, written in (item["spec"].get("hard") or {}).items():
        text = str(written)
        fields[f"spec.hard[{resource}]"] = int(text) if text.isdecimal() else text
    return _object("ResourceQuota", item, fields, {}, leaving=leaving, adopted=False)


_READERS: Final = {"Namespace": _namespace, "ConfigMap": _config_map, "ResourceQuota": _quota}


def _object(
    kind: str,
    item: Item,
    fields: dict[str, Scalar],
    shown: Mapping[str, str],
    *,
    leaving: bool,
    adopted: bool,
) -> ObservedObject:
    metadata = item["metadata"]
    entries: Sequence[Item] = metadata.get("managedFields") or ()
    owned = owners(entries, kind, fields, us=names.FIELD_MANAGER)
    labelled, managed = is_ours(metadata), is_manager(entries, us=names.FIELD_MANAGER)
    if not labelled and not managed:
        owned[MANAGED_PATH] = foreign_owner(metadata)
    return ObservedObject(
        ref=ObjectRef(kind, metadata.get("namespace", ""), metadata["name"]),
        fields=fields,
        shown=shown,
        owners=owned,
        ours=labelled or (managed and (adopted or not leaving)),
        uid=metadata.get("uid", ""),
        adopted=adopted,
    )


def own_keys(item: Item) -> frozenset[str]:
    """The keys of a ConfigMap that are ours: those it says, and those that we hold."""
    metadata = item["metadata"]
    keys = str((metadata.get("annotations") or {}).get(names.KEYS, ""))
    mine = [
        entry
        for entry in metadata.get("managedFields") or ()
        if is_manager((entry,), us=names.FIELD_MANAGER)
    ]
    held = {
        key
        for key in item.get("data") or {}
        if any(holds(entry, steps_to("ConfigMap", names.data_path(key))) for entry in mine)
    }
    return frozenset(filter(None, keys.split(","))) | held


def _strangers(item: Item) -> tuple[str, ...]:
    foreign = sorted(set(item.get("data") or {}) - own_keys(item))
    if not foreign:
        return ()
    return (f"ConfigMap {names.CONFIG_MAP} has keys of somebody else: {', '.join(foreign)}",)


# -- use -----------------------------------------------------------------------------------------


def _closed(quota: Item | None) -> bool:
    """Whether the API server lets no new workflow in; its controller has to take a quota up."""
    hard = ((quota or {}).get("status") or {}).get("hard") or {}
    return str(hard.get(names.COUNTED, "")) == "0"


def _usage(
    namespace: Item, config_map: Item | None, quota: Item | None, running: Running
) -> Iterable[Usage]:
    value = limit_in(namespace["metadata"])
    if _closed(quota):
        yield Usage(names.PARALLELISM, 0, None if running.why else running.slots, why=running.why)
    elif value is not None:
        hard = None if value == names.UNLIMITED else value
        used = None if running.why else running.slots
        yield Usage(names.PARALLELISM, hard, used, why=running.why)
    if config_map is None:
        return
    data = config_map.get("data") or {}
    for key in sorted(own_keys(config_map) & data.keys()):
        text = str(data[key])
        yield _of_lock(key, int(text) if text.isdecimal() else None, running)


def _of_lock(key: str, hard: int | None, running: Running) -> Usage:
    name = f"{names.SEMAPHORE}{key}"
    if running.bindings is None:
        return Usage(name, hard, None, why=running.why or _SWEPT)
    binding = running.bindings.get(key)
    return Usage(name, hard, len(binding.holders) if binding else 0)


def _warnings(running: Running) -> tuple[str, ...]:
    warnings = []
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
