"""What sets Jobs of Kubernetes apart. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.features import EngineFeatures
from quotas.plans.contracts import Plane

FEATURES: Final = EngineFeatures(
    external_id_placeholder="job",
    location_placeholder="namespace",
    limit_planes=frozenset({Plane.KUBERNETES}),
    namespaced=True,
    steps_are_pods=True,
    workers_are_nodes=True,
)
