"""Which adapter speaks to which kind of target. A new kind is one adapter and one line here."""

from __future__ import annotations

from typing import Final

from console.errors import DomainError
from quotas.enforcement.adapters.argo.adapter import ArgoAdapter
from quotas.enforcement.adapters.celery.adapter import CeleryAdapter
from quotas.enforcement.adapters.kubernetes.adapter import KubernetesAdapter
from quotas.enforcement.adapters.temporal.adapter import TemporalAdapter
from quotas.enforcement.ports import Adapter

_ADAPTERS: Final[tuple[Adapter, ...]] = (
    KubernetesAdapter(),
    TemporalAdapter(),
    ArgoAdapter(),
    CeleryAdapter(),
)
_BY_KIND: Final = {adapter.kind: adapter for adapter in _ADAPTERS}


def kinds() -> tuple[str, ...]:
    """The kinds of target that can be used."""
    return tuple(_BY_KIND)


def adapter_for(kind: str) -> Adapter:
    """The adapter for a kind of target. Raises DomainError("unknown_kind")."""
    try:
        return _BY_KIND[kind]
    except KeyError:
        known = ", ".join(_BY_KIND)
        raise DomainError(
            "unknown_kind", f"Kind: {kind!r} has no adapter; use one of {known}.", field="kind"
        ) from None
