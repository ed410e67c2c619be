"""The frame's app: templates, static files, system checks."""

from __future__ import annotations

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Registers the deployment checks and the schema's extensions."""

    name = "console"

    def ready(self) -> None:
        # Not at the top: models must be loaded before the settings are looked at.
        from console import checks, credential_places
        from console.clients import allowance
        from console.rest import schema  # noqa: F401 - registers how the schema describes our types

        checks.register()
        allowance.configure(credential_places.allowed)
