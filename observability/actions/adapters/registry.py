"""Which controls belong to which engine. A new engine is one adapter and one line here."""

from __future__ import annotations

from typing import Final

from observability.actions.adapters.argo import ArgoControls
from observability.actions.adapters.celery import CeleryControls
from observability.actions.adapters.kubernetes import KubernetesControls
from observability.actions.adapters.temporal import TemporalControls
from observability.actions.ports import Controls

_CONTROLS: Final[tuple[Controls, ...]] = (
    TemporalControls(),
    ArgoControls(),
    CeleryControls(),
    KubernetesControls(),
)
_BY_ENGINE: Final = {controls.engine.value: controls for controls in _CONTROLS}


def controls_for(engine: str) -> Controls:
    """The controls of an engine."""
    return _BY_ENGINE[engine]
