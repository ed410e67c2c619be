"""A day of usage before the demo began."""

from __future__ import annotations

import math
import random
import time

from observability.usage.models import SLOT_SECONDS, SLOTS, UsageSamples
from quotas.enforcement.models import PlacementState


def trails() -> None:
    """The day before this demo began: made up, so that the sparklines have a shape from the start.

    Each limit's use wanders around what is used now; nights (UTC) are quieter.
    """
    newest = int(time.time()) // SLOT_SECONDS
    made = []
    for state in PlacementState.objects.all():
        wander = random.Random(state.placement_id)
        values = {
            key: [
                round(entry["used"] * _daylight(newest - SLOTS + 1 + slot) * wander.uniform(0.8, 1))
                for slot in range(SLOTS)
            ]
            for key, entry in state.limits.items()
            if entry.get("used")
        }
        if values:
            made.append(UsageSamples(placement_id=state.placement_id, slot=newest, values=values))
    UsageSamples.objects.bulk_create(made, ignore_conflicts=True)


def _daylight(slot: int) -> float:
    hour = slot * SLOT_SECONDS / 3600 % 24
    return 0.75 + 0.25 * math.sin((hour - 8) / 24 * 2 * math.pi)
