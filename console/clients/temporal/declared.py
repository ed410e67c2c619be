"""What whoever starts a run says to Headroom: the names, and how their values are read. Pure.

Search attributes or, where a run has one, its memo; the names are those of
observability.engines.contracts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TENANT: Final = "TenantId"
OURS: Final = (
    *(TENANT, "headroom.parent_run", "headroom.request_id", "headroom.trace_id"),
    *("TemporalScheduledById", "TemporalScheduledStartTime"),
)
"""Read first, whatever else a run carries."""


def declared(name: str, *places: Mapping[str, Any]) -> str:
    """What the first of these places says under a name; empty where none says it.

    A number is its digits, and a list of one (a KeywordList) is that one.
    """
    for place in places:
        if value := _text(place.get(name)):
            return value
    return ""


def _text(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def unread(name: str, *places: Mapping[str, Any]) -> str:
    """Why what stands under a name cannot be read (a codec had it); empty where it can, or where
    nothing stands there."""
    for place in places:
        value = place.get(name)
        if isinstance(value, dict) and isinstance(value.get("note"), str):
            return str(value["note"])
    return ""
