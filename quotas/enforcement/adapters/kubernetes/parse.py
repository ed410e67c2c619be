"""What the API server answered, as observed objects per namespace. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from console.unstructured import mapping
from quotas.enforcement.adapters.kubernetes import names
from quotas.enforcement.adapters.kubernetes.fields import read
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
    uid_of,
)
from quotas.enforcement.adapters.kubernetes.owners import is_manager, owner_of, owners
from quotas.enforcement.adapters.kubernetes.usage import usage
from quotas.enforcement.ports import ObjectRef, Observed, ObservedObject, Owner
from tenants.contracts import PlacementRef

MOST_SHOWN: Final = 20
"""Amounts of somebody else's quota that are named."""


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
        contents[name_of(item)] = NamespaceContents(namespace=item)
    for kind in names.NAMESPACED:
        for item in listed.get(kind, ()):
            name = namespace_of(item)
            if name not in contents:
                contents[name] = NamespaceContents()
            contents[name].objects.append((kind, item))
    return contents


def observed_object(kind: str, item: Item, *, leaving: bool = False) -> ObservedObject:
    """One object as the diff sees it.

    An unlabelled object that we still manage lost its label by somebody's hand: that is drift, to
    be repaired, not a foreign object. A `leaving` tenant's is not deleted without our label.
    """
    metadata = metadata_of(item)
    fields, shown = read(item, kind)
    entries = entries_of(item)
    owned = owners(entries, kind, fields)
    labelled, managed = names.is_ours(metadata), is_manager(entries)
    if not labelled and not managed:
        owned[names.MANAGED_PATH] = foreign_owner(entries)
    return ObservedObject(
        ref=ObjectRef(kind, namespace_of(item), name_of(item)),
        fields=fields,
        shown=shown,
        owners=owned,
        ours=labelled or (managed and not leaving),
        uid=uid_of(item),
        adopted=names.ADOPTED in mapping(metadata.get("annotations")),
    )


def foreign_owner(entries: Sequence[Item]) -> Owner:
    """Whoever last wrote an object that is not ours, by its managedFields."""
    return owner_of(max(entries, key=lambda entry: plain(entry.get("time")), default={}))


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
    if namespace is not None and is_going(namespace):
        return Observed(warnings=(f"Namespace {placement.location} {going(namespace)}.",))
    listed = contents.objects
    if namespace is not None:
        listed = [("Namespace", namespace), *listed]
    objects = tuple(
        observed_object(kind, item, leaving=placement.leaving)
        for kind, item in listed
        if _concerns(kind, item)
    )
    foreign = [
        item
        for item in contents.of("ResourceQuota")
        if not _concerns("ResourceQuota", item)
        and ("ResourceQuota", name_of(item)) not in names.OTHERS
    ]
    return Observed(
        objects=objects,
        usage=usage(namespace, contents.of("ResourceQuota"), contents.of("LimitRange"), counted),
        foreign=tuple(map(_in_words, foreign)),
        warnings=_unlabelled(namespace),
    )


def _concerns(kind: str, item: Item) -> bool:
    """Whether an object is ours, or sits where one of ours belongs."""
    name = name_of(item)
    if is_going(item) or (kind, name) in names.OTHERS:
        return False
    return (
        kind == "Namespace"
        or names.is_ours(metadata_of(item))
        or name == names.OURS
        or name.startswith(f"{names.OURS}-")
    )


def _unlabelled(namespace: Item | None) -> tuple[str, ...]:
    if namespace is None or names.is_ours(metadata_of(namespace)):
        return ()
    if is_manager(entries_of(namespace)):
        return (f"Namespace {name_of(namespace)} has lost its headroom label.",)
    return (f"Namespace {name_of(namespace)} exists and is not Headroom's: it must be adopted.",)


def _in_words(quota: Item) -> str:
    hard = mapping(spec_of(quota).get("hard"))
    amounts = [f"{plain(name)} {plain(value)}" for name, value in sorted(hard.items())]
    shown = ", ".join(amounts[:MOST_SHOWN])
    more = len(amounts) - MOST_SHOWN
    others = f" and {more} more" if more > 0 else ""
    return f"ResourceQuota {name_of(quota)}: {shown or 'no limits'}{others}"


def _is_by_us(namespace: Item) -> bool:
    """A namespace that another adapter of ours made has the label, but not our field manager."""
    entries = entries_of(namespace)
    return names.is_ours(metadata_of(namespace)) and (not entries or is_manager(entries))


def orphans(
    contents: Mapping[str, NamespaceContents], placements: Iterable[PlacementRef]
) -> tuple[ObjectRef, ...]:
    """Objects with our label in namespaces of no placement."""
    known = {placement.location for placement in placements}
    refs = []
    for name, inside in contents.items():
        if name in known:
            continue
        if inside.namespace is not None and _is_by_us(inside.namespace):
            refs.append(ObjectRef("Namespace", "", name))
        refs += [
            ObjectRef(kind, name, name_of(item))
            for kind, item in inside.objects
            if names.is_ours(metadata_of(item)) and (kind, name_of(item)) not in names.OTHERS
        ]
    return tuple(sorted(refs))
