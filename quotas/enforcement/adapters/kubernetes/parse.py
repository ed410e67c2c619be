"""What the API server answered, as observed objects per namespace. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.adapters.kubernetes.fields import read
from quotas.enforcement.adapters.kubernetes.owners import is_manager, owners
from quotas.enforcement.adapters.kubernetes.usage import usage
from quotas.enforcement.ports import ObjectRef, Observed, ObservedObject, Owner
from tenants.contracts import PlacementRef

Item = Mapping[str, Any]


@dataclass(slots=True)
class NamespaceContents:
    """What there is in one namespace; ResourceQuotas include foreign ones."""

    namespace: Item | None = None
    objects: list[tuple[str, Item]] = field(default_factory=list)

    def of(self, kind: str) -> list[Item]:
        """The objects of one kind."""
        return [item for contents, item in self.objects if contents == kind]


def by_namespace(listed: Mapping[str, Iterable[Item]]) -> dict[str, NamespaceContents]:
    """Lists of whole kinds, sorted by namespace."""
    contents: dict[str, NamespaceContents] = {}
    for item in listed.get("Namespace", ()):
        contents[item["metadata"]["name"]] = NamespaceContents(namespace=item)
    for kind in names.NAMESPACED:
        for item in listed.get(kind, ()):
            name = item["metadata"]["namespace"]
            if name not in contents:
                contents[name] = NamespaceContents()
            contents[name].objects.append((kind, item))
    return contents


def observed_object(kind: str, item: Item, *, leaving: bool = False) -> ObservedObject:
    """One object as the diff sees it.

    An unlabelled object that we still manage lost its label by somebody's hand: that is drift, to
    be repaired, not a foreign object. A `leaving` tenant's is not deleted without our label.
    """
    metadata = item["metadata"]
    fields, shown = read(item, kind)
    entries = metadata.get("managedFields") or ()
    owned = owners(entries, kind, fields)
    labelled, managed = names.is_ours(metadata), is_manager(entries)
    if not labelled and not managed:
        owned[names.MANAGED_PATH] = foreign_owner(metadata)
    return ObservedObject(
        ref=ObjectRef(kind, metadata.get("namespace", ""), metadata["name"]),
        fields=fields,
        shown=shown,
        owners=owned,
        ours=labelled or (managed and not leaving),
        uid=metadata.get("uid", ""),
        adopted=names.ADOPTED in (metadata.get("annotations") or ()),
    )


def foreign_owner(metadata: Mapping[str, Any]) -> Owner:
    """Whoever last wrote an object that is not ours."""
    entries: Sequence[Item] = metadata.get("managedFields") or ({},)
    last = max(entries, key=lambda entry: str(entry.get("time", "")))
    time = last.get("time")
    return Owner(
        manager=str(last.get("manager") or "unknown"),
        declarative=last.get("operation") == "Apply",
        at=datetime.fromisoformat(time) if time else None,
    )


def observed(
    placement: PlacementRef,
    contents: NamespaceContents,
    counted: Mapping[str, Iterable[Item]] | None = None,
) -> Observed:
    """One placement's namespace; `counted` are its objects by kind where use
    is to be counted again.

    What is being deleted counts as gone: it cannot be written any more, and needs no deletion.
    """
    namespace = contents.namespace
    if namespace is not None and "deletionTimestamp" in namespace["metadata"]:
        return Observed(warnings=(f"Namespace {placement.location} is being deleted.",))
    listed = contents.objects
    if namespace is not None:
        listed = [("Namespace", namespace), *listed]
    objects = tuple(
        observed_object(kind, item, leaving=placement.leaving)
        for kind, item in listed
        if _concerns(kind, item["metadata"])
    )
    foreign = [
        item
        for item in contents.of("ResourceQuota")
        if not _concerns("ResourceQuota", item["metadata"])
        and ("ResourceQuota", item["metadata"]["name"]) not in names.OTHERS
    ]
    return Observed(
        objects=objects,
        usage=usage(namespace, contents.of("ResourceQuota"), contents.of("LimitRange"), counted),
        foreign=tuple(map(_in_words, foreign)),
        warnings=_unlabelled(namespace),
    )


def _concerns(kind: str, metadata: Mapping[str, Any]) -> bool:
    """Whether an object is ours, or sits where one of ours belongs."""
    name = metadata["name"]
    if "deletionTimestamp" in metadata or (kind, name) in names.OTHERS:
        return False
    return (
        kind == "Namespace"
        or names.is_ours(metadata)
        or name == names.OURS
        or name.startswith(f"{names.OURS}-")
    )


def _unlabelled(namespace: Item | None) -> tuple[str, ...]:
    if namespace is None or names.is_ours(namespace["metadata"]):
        return ()
    metadata = namespace["metadata"]
    if is_manager(metadata.get("managedFields") or ()):
        return (f"Namespace {metadata['name']} has lost its headroom label.",)
    return (f"Namespace {metadata['name']} exists and is not Headroom's: it must be adopted.",)


def _in_words(quota: Item) -> str:
    hard = (quota.get("spec") or {}).get("hard") or {}
    amounts = ", ".join(f"{name} {value}" for name, value in sorted(hard.items()))
    return f"ResourceQuota {quota['metadata']['name']}: {amounts or 'no limits'}"


def _is_by_us(metadata: Mapping[str, Any]) -> bool:
    """A namespace that another adapter of ours made has the label, but not our field manager."""
    entries = metadata.get("managedFields")
    return names.is_ours(metadata) and (not entries or is_manager(entries))


def orphans(
    contents: Mapping[str, NamespaceContents], placements: Iterable[PlacementRef]
) -> tuple[ObjectRef, ...]:
    """Objects with our label in namespaces of no placement."""
    known = {placement.location for placement in placements}
    refs = []
    for name, inside in contents.items():
        if name in known:
            continue
        if inside.namespace is not None and _is_by_us(inside.namespace["metadata"]):
            refs.append(ObjectRef("Namespace", "", name))
        refs += [
            ObjectRef(kind, name, item["metadata"]["name"])
            for kind, item in inside.objects
            if names.is_ours(item["metadata"])
            and (kind, item["metadata"]["name"]) not in names.OTHERS
        ]
    return tuple(sorted(refs))
