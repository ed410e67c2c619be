"""The ledger."""

from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Holds the append-only ledger."""

    name = "console.audit"
    label = "audit"
