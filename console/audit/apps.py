"""The ledger."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from console.navigation import NavEntry


class AuditConfig(AppConfig):
    """Holds the append-only ledger."""

    name = "console.audit"
    label = "audit"
    navigation = (NavEntry("Audit", "audit:ledger", icon="audit", key="a", place=70),)

    def ready(self) -> None:
        # Not at the top: the apps must be loaded before connections are asked for.
        from console.audit.checks import guarded

        checks.register(guarded, checks.Tags.database)
