"""How a standalone activity is told from a workflow's run wherever only its names are known. Pure.

Temporal's ids are the same for both; in the trail those of standalone activities bear a prefix.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "activity:"


def is_standalone(run_id: str) -> bool:
    """Whether a run id is that of a standalone activity."""
    return run_id.startswith(PREFIX)


def own_run_id(run_id: str) -> str:
    """What Temporal calls the run."""
    return run_id.removeprefix(PREFIX)
