"""What people do to runs."""

from __future__ import annotations

from django.apps import AppConfig

from console.navigation import ObjectPage


class ActionsConfig(AppConfig):
    """What people do to runs."""

    name = "observability.actions"
    label = "actions"
    object_pages = {  # noqa: RUF012 - Django's way to configure an app
        "action": ObjectPage("actions:detail", formerly="order", pk="id"),
    }
