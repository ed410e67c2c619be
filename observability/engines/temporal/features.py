"""What sets Temporal apart. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.contracts import TEMPORAL_HISTORY
from observability.engines.features import EngineFeatures
from quotas.plans.contracts import Plane

FEATURES: Final = EngineFeatures(
    external_id_placeholder="workflow_id",
    location_placeholder="namespace",
    limit_planes=frozenset({Plane.TEMPORAL}),
    children_inherit_tenant=True,
    document_media=TEMPORAL_HISTORY,
    numbers_events=True,
    offers_open_steps=True,
)
