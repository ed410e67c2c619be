"""What real servers gave, for tests that ask what becomes of it when it is something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

_CLUSTER: Final = Path(__file__).with_name("cluster.json")


def cluster(kind: str) -> list[dict[str, Any]]:
    """Objects of a kind as an API server of 1.37 gave them, anew each time."""
    recorded: dict[str, list[dict[str, Any]]] = json.loads(_CLUSTER.read_text())
    return recorded[kind]


_TEMPORAL: Final = Path(__file__).with_name("temporal.json")


def temporal(kind: str) -> list[dict[str, Any]]:
    """Answers of a Temporal server of 1.32 as JSON, anew each time: histories (some as the SDKs of
    other languages write them), descriptions, rows, activities, activity_rows, queues."""
    recorded: dict[str, list[dict[str, Any]]] = json.loads(_TEMPORAL.read_text())
    return recorded[kind]
