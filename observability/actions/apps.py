"""What people do to runs."""

from __future__ import annotations

from django.apps import AppConfig


class ActionsConfig(AppConfig):
    """What people do to runs."""

    name = "observability.actions"
    label = "actions"
