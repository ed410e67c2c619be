"""A token bucket, so that we stay below a server's limit instead of running into it."""

from __future__ import annotations

import asyncio

from console.errors import Throttled


class TokenBucket:
    """`burst` calls at once, then `rate` per second. Used on the bridge's loop only."""

    def __init__(self, burst: int, rate: float) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = float(burst)
        self._filled_at: float | None = None

    async def take(self, deadline: float) -> None:
        """Wait for one token. Throttled at once when it will not come before `deadline`."""
        now = asyncio.get_running_loop().time()
        if self._filled_at is not None:
            gained = max(0.0, now - self._filled_at) * self._rate
            self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now
        wait = (1.0 - self._tokens) / self._rate
        if now + wait > deadline:
            raise Throttled("our own limit for this Temporal namespace", retry_after=wait)
        # Taken before waiting (the count may go below zero): those who come later wait longer.
        self._tokens -= 1.0
        if wait > 0:
            await asyncio.sleep(wait)
