"""Previews as the JSON that a proposal stores, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cattrs.preconf.json import make_converter

from quotas.changes.contracts import Preview

_CONVERTER: Final = make_converter()


def preview_json(preview: Preview) -> dict[str, Any]:
    """The preview as a proposal stores it; `preview_from` reads it back."""
    document: dict[str, Any] = _CONVERTER.unstructure(preview)
    return document


def preview_from(document: Mapping[str, Any] | None) -> Preview | None:
    """The preview that a proposal stores; None while it is being computed."""
    return _CONVERTER.structure(document, Preview) if document else None
