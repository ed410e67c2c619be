"""Which source reads which kind of target. A new engine is one source and one line here."""

from __future__ import annotations

from typing import Final

from observability.jobs.adapters.argo.source import ArgoSource
from observability.jobs.adapters.celery.source import CelerySource
from observability.jobs.adapters.kubernetes.source import KubernetesSource
from observability.jobs.adapters.temporal.source import TemporalSource
from observability.jobs.ports import Source

_SOURCES: Final[tuple[Source, ...]] = (
    ArgoSource(),
    CelerySource(),
    KubernetesSource(),
    TemporalSource(),
)
_BY_KIND: Final = {source.engine.value: source for source in _SOURCES}


def source_for(kind: str) -> Source | None:
    """The source that reads a kind of target; None for a kind that runs no jobs."""
    return _BY_KIND.get(kind)
