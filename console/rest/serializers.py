"""Serializers that every app shares."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


def described(name: str, doc: str, /, **fields: Any) -> type[serializers.Serializer[Any]]:
    """A serializer class that describes a JSON object in the schema under `name`."""
    made: type[serializers.Serializer[Any]] = type(
        f"{name}Serializer", (serializers.Serializer,), {"__doc__": doc, **fields}
    )
    return made


REASON = described(
    "Reason", "Why. It is kept with the change, for ever.", reason=serializers.CharField()
)
