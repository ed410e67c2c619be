"""How use developed."""

from __future__ import annotations

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """Keeps the last day of used values for sparklines."""

    name = "observability.usage"
    label = "usage"
