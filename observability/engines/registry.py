"""What belongs to an engine, by its name. A new engine is one folder and one entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from observability.engines.argo import commands as argo_commands
from observability.engines.argo import features as argo_features
from observability.engines.argo import links as argo_links
from observability.engines.argo.controls import ArgoControls
from observability.engines.argo.source import ArgoSource
from observability.engines.celery import commands as celery_commands
from observability.engines.celery import features as celery_features
from observability.engines.celery import links as celery_links
from observability.engines.celery.controls import CeleryControls
from observability.engines.celery.source import CelerySource
from observability.engines.commands import Command
from observability.engines.contracts import Engine
from observability.engines.features import EngineFeatures
from observability.engines.kubernetes import commands as kubernetes_commands
from observability.engines.kubernetes import features as kubernetes_features
from observability.engines.kubernetes import links as kubernetes_links
from observability.engines.kubernetes.controls import KubernetesControls
from observability.engines.kubernetes.source import KubernetesSource
from observability.engines.links import OwnPages, RunAddress
from observability.engines.ports import Controls, EngineSource
from observability.engines.temporal import commands as temporal_commands
from observability.engines.temporal import features as temporal_features
from observability.engines.temporal import links as temporal_links
from observability.engines.temporal.controls import TemporalControls
from observability.engines.temporal.source import TemporalSource


@dataclass(frozen=True, slots=True)
class EngineAdapter:
    """One engine: what reads it, what acts on its runs, what sets it apart, the pages of its UI,
    and the commands for a run by the target's options and endpoint."""

    source: EngineSource
    controls: Controls
    features: EngineFeatures
    links: OwnPages
    commands: Callable[[RunAddress, Mapping[str, Any], str], list[Command]]


_ADAPTERS: Final[dict[str, EngineAdapter]] = {
    Engine.TEMPORAL.value: EngineAdapter(
        TemporalSource(),
        TemporalControls(),
        temporal_features.FEATURES,
        temporal_links.LINKS,
        temporal_commands.commands_for,
    ),
    Engine.ARGO.value: EngineAdapter(
        ArgoSource(),
        ArgoControls(),
        argo_features.FEATURES,
        argo_links.LINKS,
        argo_commands.commands_for,
    ),
    Engine.CELERY.value: EngineAdapter(
        CelerySource(),
        CeleryControls(),
        celery_features.FEATURES,
        celery_links.LINKS,
        celery_commands.commands_for,
    ),
    Engine.KUBERNETES.value: EngineAdapter(
        KubernetesSource(),
        KubernetesControls(),
        kubernetes_features.FEATURES,
        kubernetes_links.LINKS,
        kubernetes_commands.commands_for,
    ),
}


def adapter_for(engine: str) -> EngineAdapter:
    """The adapter of an engine."""
    return _ADAPTERS[engine]


def source_for(kind: str) -> EngineSource | None:
    """The source that reads a kind of target; None for a kind that runs no jobs."""
    adapter = _ADAPTERS.get(kind)
    return adapter.source if adapter else None


def features_for(kind: str) -> EngineFeatures | None:
    """The features of the engine of a kind of target; None for a kind that runs no jobs."""
    adapter = _ADAPTERS.get(kind)
    return adapter.features if adapter else None
