"""What sets Argo Workflows apart. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.argo.state import retried_run_id
from observability.engines.features import EngineFeatures
from quotas.plans.contracts import Plane

FEATURES: Final = EngineFeatures(
    external_id_placeholder="workflow_id",
    location_placeholder="namespace",
    limit_planes=frozenset({Plane.ARGO, Plane.KUBERNETES}),
    retried_run_id=retried_run_id,
    namespaced=True,
    workers_are_nodes=True,
)
