"""How our objects are called on a Temporal target, and who we are there."""

from __future__ import annotations

from typing import Final

KIND: Final = "TaskQueue"
OURS: Final = "headroom"
"""How the identity begins that is written with each change."""
