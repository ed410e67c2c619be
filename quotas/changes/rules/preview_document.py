"""Previews as the JSON that a proposal stores, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cattrs.preconf.json import make_converter

from quotas.changes.contracts import ObjectChange, Preview
from quotas.enforcement.diff import change_from_json, change_json

_CONVERTER: Final = make_converter()


def preview_json(preview: Preview) -> dict[str, Any]:
    """The preview as a proposal stores it; `preview_from` reads it back."""
    document: dict[str, Any] = _CONVERTER.unstructure(preview)
    return document


def settled_json(preview: Preview) -> dict[str, Any]:
    """What stays of a preview once it was applied: the answer, not the lists that grow with the
    number of objects and tenants. What was written is on the rollout."""
    return preview_json(replace(preview, objects=(), base={}))


def preview_from(document: Mapping[str, Any] | None) -> Preview | None:
    """The preview that a proposal stores; None while it is being computed."""
    return _CONVERTER.structure(document, Preview) if document else None


def object_json(item: ObjectChange) -> dict[str, Any]:
    """A change of one object with its place, flat, as previews store it and REST shows it."""
    return {
        "placement": item.placement,
        "tenant": item.tenant,
        "target": item.target,
        "location": item.location,
        **change_json(item.change),
    }


def _object_from(stored: Mapping[str, Any], _: Any) -> ObjectChange:
    return ObjectChange(
        placement=stored["placement"],
        tenant=stored["tenant"],
        target=stored["target"],
        location=stored["location"],
        change=change_from_json(stored),
    )


_CONVERTER.register_unstructure_hook(ObjectChange, object_json)
_CONVERTER.register_structure_hook(ObjectChange, _object_from)
