"""How often a property is tried."""

from __future__ import annotations

from hypothesis import settings


def examples(number: int) -> int:
    """So many examples; in a run that is `--quick` a quarter of them, at least one."""
    whole = settings.get_profile("headroom").max_examples
    return max(1, number * settings().max_examples // whole)
