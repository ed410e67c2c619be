"""How long to wait before what failed is tried again."""

from __future__ import annotations


def backoff(failures: int, *, first: float, longest: float, spread: float = 1.0) -> float:
    """Seconds to wait after `failures` failures (1, 2, …): doubling from `first` up to `longest`,
    times `spread`: a random number of the caller's, so that many that failed together come back
    apart."""
    return min(longest, first * 2.0 ** min(max(failures - 1, 0), 30)) * spread
