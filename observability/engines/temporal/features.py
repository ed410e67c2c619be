"""What sets Temporal apart. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.contracts import TEMPORAL_HISTORY
from observability.engines.features import EngineFeatures
from observability.engines.temporal.run_ids import is_standalone
from quotas.plans.contracts import Plane


def _replayable(run_id: str) -> bool:
    """A standalone activity has no history."""
    return not is_standalone(run_id)


FEATURES: Final = EngineFeatures(
    external_id_placeholder="workflow_id",
    location_placeholder="namespace",
    limit_planes=frozenset({Plane.TEMPORAL}),
    children_inherit_tenant=True,
    document_media=TEMPORAL_HISTORY,
    numbers_events=True,
    replayable=_replayable,
    offers_open_steps=True,
)
