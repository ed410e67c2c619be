"""Changes as the JSON that a proposal stores: limits are integers in base units, times are ISO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cattrs.preconf.json import make_converter

from console.errors import DomainError
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.registry import KINDS
from quotas.plans.limits import format_limit, parse_key

_CONVERTER: Final = make_converter(forbid_extra_keys=True)


def payload_of(change: ProposedChange) -> dict[str, Any]:
    """The change as JSON; `change_from` reads it back."""
    payload: dict[str, Any] = _CONVERTER.unstructure(change)
    return payload


def change_from(kind: str, payload: Mapping[str, Any]) -> ProposedChange:
    """The change that a proposal stores."""
    return _CONVERTER.structure(payload, kind_named(kind))


def shown(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A stored payload for people: limits as the exact texts that they would write."""
    document = dict(payload)
    if "limits" in document:
        document["limits"] = {key: _text(key, value) for key, value in payload["limits"].items()}
    if "key" in document:
        document["value"] = _text(payload["key"], payload["value"])
    return document


def _text(key: str, value: int | None) -> str:
    return format_limit(parse_key(key), value)


def kind_named(kind: str) -> type[ProposedChange]:
    """The class of a kind. Raises DomainError("unknown_change")."""
    if kind not in KINDS:
        raise DomainError(
            "unknown_change",
            f"Kind: {kind!r} is not a change; use one of {', '.join(KINDS)}.",
            field="kind",
        )
    return KINDS[kind]
