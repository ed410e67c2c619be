"""The frame's app: templates, static files, system checks."""

from __future__ import annotations

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Registers the deployment checks."""

    name = "console"

    def ready(self) -> None:
        # Not at the top: models must be loaded before the settings are looked at.
        from console import checks, credential_places
        from console.clients import allowance

        checks.register()
        allowance.configure(credential_places.allowed)
