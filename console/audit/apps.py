"""The ledger."""

from __future__ import annotations

from django.apps import AppConfig

from console.navigation import NavEntry


class AuditConfig(AppConfig):
    """Holds the append-only ledger."""

    name = "console.audit"
    label = "audit"
    navigation = (NavEntry("Audit", "audit:ledger", icon="audit", key="a", place=70),)
