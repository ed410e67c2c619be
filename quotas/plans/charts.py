"""Limits as words for pages. Pure."""

from __future__ import annotations

from functools import lru_cache

from console.errors import DomainError
from quotas.plans.contracts import LimitKey, Unit
from quotas.plans.limits import parse_key
from quotas.plans.quantities import humanize


@lru_cache(maxsize=4096)
def describe(key: str) -> LimitKey | None:
    """The catalogue's entry for a key; None for a key of an older release."""
    try:
        return parse_key(key)
    except DomainError:
        return None


def unit_of(key: str) -> Unit:
    """The unit of a key; plain counts for a key that is no longer known."""
    known = describe(key)
    return known.unit if known else Unit.COUNT


def label_of(key: str) -> str:
    """The limit's name for people."""
    known = describe(key)
    return known.label if known else key


@lru_cache(maxsize=16384)
def human(key: str, value: int | None) -> str:
    """A value of this limit in human form."""
    return humanize(value, unit_of(key))
