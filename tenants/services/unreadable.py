"""What could not be read on a target: counted, kept within bounds, and shown until it is gone.

Readers of a plane never stop at what somebody wrote there. They set it aside as an Unreadable, and
whoever stores what they read hands it in here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from console.chunks import chunks
from console.database.pruning import prune
from console.unstructured import clean
from tenants.contracts import Unreadable
from tenants.models import Placement, Reader, Sharing, Target, Tenant, UnreadableObject

MOST_KEPT: Final = 50
"""Rows of one tenant (or of nobody) on one target by one reader; those met last are kept. A bound
for each, so that none pushes out what another should know."""
KEPT: Final = timedelta(days=7)
"""What nobody has met for so long is forgotten."""

_Key = tuple[str, str, str]
_Owners = dict[_Key, int | None]


def note_unreadable(
    *,
    target_id: int,
    reader: Reader,
    objects: Iterable[Unreadable],
    now: datetime,
    complete: bool = False,
) -> int:
    """Notes what could not be read just now; how many things that is.

    With `complete` the whole target was read: what is not among `objects` can be read again, or is
    gone, and is forgotten. Costs one query at most when there is nothing to note.
    """
    items = {_key(item): item for item in map(_storable, objects)}
    rows = UnreadableObject.objects.filter(target_id=target_id, reader=reader)
    if not items:
        if complete and rows.exists():
            rows.delete()
        return 0
    with transaction.atomic():
        # Two workers of one target take turns, so that none inserts what the other just did.
        Target.objects.select_for_update().filter(pk=target_id).first()
        kept = _bounded(items, _tenants(target_id, items.values()))
        known = {(row.kind, row.location, row.name): row for row in rows}
        if complete:
            gone = [row.pk for key, row in known.items() if key not in kept]
            for chunk in chunks(gone):
                rows.filter(pk__in=chunk).delete()
        _update([known[key] for key in kept if key in known], items, now)
        fresh = {key: tenant for key, tenant in kept.items() if key not in known}
        _insert(target_id, reader, {key: items[key] for key in fresh}, fresh, now)
        for tenant_id in set(fresh.values()):
            _drop_oldest(rows.filter(tenant=tenant_id))
    return len(items)


def note_readable(*, target_id: int, reader: Reader, names: Collection[tuple[str, str]]) -> None:
    """Forgets what could be read just now, things by location and name. Costs one query where
    everything can be read."""
    rows = UnreadableObject.objects.filter(target_id=target_id, reader=reader)
    mended = [
        pk
        for pk, location, name in rows.values_list("pk", "location", "name")
        if (location, name) in names
    ]
    for chunk in chunks(mended):
        rows.filter(pk__in=chunk).delete()


def _storable(item: Unreadable) -> Unreadable:
    """As rows take it: bounded, without NUL and halves of surrogate pairs."""
    return Unreadable(
        clean(item.kind[:63]),
        clean(item.location[:255]),
        clean(item.name[:255]),
        clean(item.problem[:500]),
        clean(item.tenant[:63]),
    )


def _key(item: Unreadable) -> _Key:
    return item.kind, item.location, item.name


def _bounded(items: Mapping[_Key, Unreadable], tenants: Mapping[str, int]) -> _Owners:
    """Those that are kept, with the id of the tenant whose each is."""
    number: Counter[int | None] = Counter()
    kept: _Owners = {}
    for key, item in items.items():
        tenant = tenants.get(item.tenant) or tenants.get(f"/{item.location}")
        number[tenant] += 1
        if number[tenant] <= MOST_KEPT:
            kept[key] = tenant
    return kept


def _update(rows: list[UnreadableObject], items: Mapping[_Key, Unreadable], now: datetime) -> None:
    for row in rows:
        row.last_at = now
        row.times += 1
        row.problem = items[row.kind, row.location, row.name].problem
    UnreadableObject.objects.bulk_update(rows, ["last_at", "times", "problem"], batch_size=100)


def _insert(
    target_id: int,
    reader: Reader,
    items: Mapping[_Key, Unreadable],
    owners: _Owners,
    now: datetime,
) -> None:
    UnreadableObject.objects.bulk_create(
        [
            UnreadableObject(
                target_id=target_id,
                tenant_id=owners[kind, location, name],
                reader=reader,
                kind=kind,
                location=location,
                name=name,
                problem=item.problem,
                first_at=now,
                last_at=now,
            )
            for (kind, location, name), item in items.items()
        ],
        batch_size=100,
    )


def _tenants(target_id: int, items: Iterable[Unreadable]) -> dict[str, int]:
    """Tenants' ids: by slug, for those who are placed there, and by "/" and a dedicated place."""
    slugs = {item.tenant for item in items if item.tenant}
    places = {item.location for item in items if item.location}
    ids: dict[str, int] = {}
    for chunk in chunks(slugs):
        here = Tenant.objects.filter(slug__in=chunk, placements__target_id=target_id)
        ids |= dict(here.values_list("slug", "pk"))
    dedicated = Placement.objects.filter(target_id=target_id, sharing=Sharing.DEDICATED)
    for chunk in chunks(places):
        rows = dedicated.filter(location__in=chunk).values_list("location", "tenant_id")
        ids |= {f"/{location}": tenant for location, tenant in rows}
    return ids


def _drop_oldest(rows: QuerySet[UnreadableObject]) -> None:
    extra = rows.order_by("-last_at", "-pk").values_list("pk", flat=True)[MOST_KEPT:]
    for chunk in chunks(list(extra)):
        rows.filter(pk__in=chunk).delete()


def prune_unreadable(now: datetime, until: float = math.inf) -> int:
    """Forgets what nobody has met for KEPT, until then (time.monotonic); how many rows."""
    return prune(UnreadableObject.objects.filter(last_at__lt=now - KEPT), until=until)
