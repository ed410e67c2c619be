"""Takes samples of what the loop has observed: one slot of 15 minutes per limit and placement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from console.chunks import chunks
from console.unstructured import mapping, whole
from observability.usage.models import SLOT_SECONDS, SLOTS, UsageSamples
from quotas.enforcement.models import PlacementState

log = structlog.get_logger(__name__)

_BATCH = 1000
Values = dict[str, list[int | None]]


def sample(*, now: datetime) -> int:
    """Writes the used values that were seen in this slot; returns the number of placements for
    which that was news.

    Running it again in the same slot keeps each slot's largest value, so any number of runs is
    safe. Memory is bounded by one batch of placements.
    """
    slot = int(now.timestamp()) // SLOT_SECONDS
    fresh = now - timedelta(seconds=SLOT_SECONDS)
    states = PlacementState.objects.filter(observed_at__gte=fresh).order_by("placement_id")
    pairs = states.values_list("placement_id", "limits").iterator(chunk_size=_BATCH)
    written = 0
    for batch in chunks(pairs, _BATCH):
        written += _write(dict(batch), slot)
    return written


def _write(batch: Mapping[int, Mapping[str, Any]], slot: int) -> int:
    # Plain values: few of thousands have changed, and making objects of all is most of the work.
    stored = UsageSamples.objects.filter(placement__in=batch)
    known = {of: rest for of, *rest in stored.values_list("placement", "pk", "slot", "values")}
    new: list[UsageSamples] = []
    changed: list[UsageSamples] = []
    for placement, used in _used(batch):
        if placement not in known:
            first: Values = {key: [value] for key, value in used.items()}
            new.append(UsageSamples(placement_id=placement, slot=slot, values=first))
            continue
        pk, before, series = known[placement]
        try:
            values = merged(series, used, shift=slot - before)
        except Exception:
            log.exception("sample.failed", placement=placement)  # which costs no other its sample
            continue
        if values != series or slot > before:
            newest = max(slot, before)
            changed.append(UsageSamples(pk=pk, placement_id=placement, slot=newest, values=values))
    UsageSamples.objects.bulk_create(new, ignore_conflicts=True)
    UsageSamples.objects.bulk_update(changed, ["slot", "values"], batch_size=500)
    return len(new) + len(changed)


def _used(batch: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[int, dict[str, int]]]:
    """The placements of a batch whose use is known, with use by limit key."""
    for placement, limits in batch.items():
        numbers = {key: whole(mapping(entry).get("used")) for key, entry in limits.items()}
        used = {key: number for key, number in numbers.items() if number is not None}
        if used:
            yield placement, used


def merged(
    values: Mapping[str, list[int | None]], used: Mapping[str, int], *, shift: int
) -> Values:
    """Samples moved on by `shift` slots (0: the same slot) with the new values in the last one.

    Keys that have not been seen for a whole day are dropped. A clock that went backwards (negative
    shift) writes into the newest slot.
    """
    moved: Values = {}
    gap = max(min(shift, SLOTS), 0)
    for key in {**values, **used}:
        line = ([*values.get(key, []), *([None] * gap)])[-SLOTS:] or [None]
        if key in used:
            line[-1] = max(used[key], line[-1] or 0)
        if any(value is not None for value in line):
            moved[key] = line
    return moved
