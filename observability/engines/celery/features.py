"""What sets Celery apart: it keeps nothing of a task once its events are sent. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.features import EngineFeatures
from quotas.plans.contracts import Plane

FEATURES: Final = EngineFeatures(
    external_id_placeholder="task_id",
    location_placeholder="queue",
    limit_planes=frozenset({Plane.CELERY}),
    keeps_history=False,
    repeats_calls=True,
    most_events=800,
)
