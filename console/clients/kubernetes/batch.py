"""Runs a pipeline from sync code and hands its results over to the calling thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from console.clients import bridge
from console.clients.contracts import Applied
from console.clients.kubernetes.kinds import Place
from console.clients.kubernetes.pipeline import Manifest, Pipeline, named
from console.errors import Unreachable

ApplyOne = Callable[[Place, Manifest, float], Awaitable[Mapping[str, Any]]]
BREATH = 0.02
"""Seconds that results may gather before they are handed over together."""


class Batch:
    """Many manifests, one result each.

    `on_result` runs in the calling thread (it may write to that thread's database connection)
    while the loop's thread goes on with the requests.
    """

    def __init__(
        self,
        manifests: Sequence[Manifest],
        apply_one: ApplyOne,
        on_result: Callable[[Applied], None] | None,
    ) -> None:
        self._manifests = manifests
        self._apply_one = apply_one
        self._on_result = on_result
        self._results: list[Applied | None] = [None] * len(manifests)
        self._arrived: queue.SimpleQueue[Applied | None] = queue.SimpleQueue()

    def run(self, concurrency: int, timeout: float) -> list[Applied]:
        """All results in the order of the manifests, within `timeout` seconds (about)."""
        end = time.monotonic() + timeout + bridge.GRACE
        future = bridge.submit(self._go(concurrency, timeout))
        try:
            self._hand_over(end)
            # Over by now, or hopeless; an error in here is ours and must not pass silently.
            future.result(max(0.0, end - time.monotonic()))
        except (TimeoutError, concurrent.futures.CancelledError):
            pass  # what has no result is reported below
        finally:
            future.cancel()
        return [
            result
            if result is not None
            else named(manifest, Unreachable(f"not applied within {timeout:g} s"))
            for manifest, result in zip(self._manifests, self._results, strict=True)
        ]

    async def _go(self, concurrency: int, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds

        async def apply_one(place: Place, manifest: Manifest) -> Mapping[str, Any]:
            return await self._apply_one(place, manifest, deadline)

        try:
            async with asyncio.timeout(seconds):
                await Pipeline(self._manifests, apply_one, self._report).run(concurrency)
        finally:
            self._arrived.put(None)

    def _report(self, index: int, result: Applied) -> None:
        self._results[index] = result
        if self._on_result is not None:  # waking the caller for nothing costs speed
            self._arrived.put(result)

    def _hand_over(self, end: float) -> None:
        """Call `on_result` for what arrives, until the run has ended or the time is over."""
        left = len(self._manifests)
        while True:
            try:
                result = self._arrived.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return
            if result is None:
                return
            if self._on_result is not None:
                self._on_result(result)
            left -= 1
            if left and self._arrived.empty():
                # Waking for each result takes the processor from the loop that sends requests.
                time.sleep(BREATH)
