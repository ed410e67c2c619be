"""What has come of a watch and was not taken yet."""

from __future__ import annotations

import asyncio
from typing import Final

from console.clients.kubernetes.kinds import Selection

MOST_BYTES: Final = 16 * 2**20
"""Of changes that have come and were not taken yet."""


class Buffer:
    """Lines on their way from the loop to the thread that takes them, bounded both ways."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lines: list[tuple[Selection, bytes]] = []
        self._bytes = 0
        self._over = False
        self._changed = asyncio.Condition()

    async def put(self, selection: Selection, line: bytes) -> None:
        """Add a line, when there is room for it."""
        async with self._changed:
            await self._changed.wait_for(self._has_room)
            self._lines.append((selection, line))
            self._bytes += len(line)
            self._changed.notify_all()

    async def finish(self) -> None:
        """Say that nothing more will come."""
        async with self._changed:
            self._over = True
            self._changed.notify_all()

    async def take(self, seconds: float) -> tuple[list[tuple[Selection, bytes]], bool]:
        """What is there, waiting a while for the first; and whether nothing more will come."""
        async with self._changed:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait_for(lambda: self._lines or self._over)
            except TimeoutError:
                pass
            lines, self._lines, self._bytes = self._lines, [], 0
            self._changed.notify_all()
            return lines, self._over

    def _has_room(self) -> bool:
        return len(self._lines) < self._room and self._bytes < MOST_BYTES
