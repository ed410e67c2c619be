"""The bounds of actions, and how the trail names them. Pure."""

from __future__ import annotations

from typing import Final

ACTION_KEY: Final = "order:{id}"
"""The key of the trail's note about an action. Stored in many rows, so it keeps its first word."""
MOST_RUNS: Final = 10_000
"""The most runs that one batch of ours takes."""
FASTEST: Final = 50
"""The most operations per second of a batch."""
