"""The frame's app: templates, static files, system checks."""

from __future__ import annotations

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Registers the deployment checks."""

    name = "console"

    def ready(self) -> None:
        from console import checks  # noqa: PLC0415 - registering needs the app registry

        checks.register()
