"""Changes of intent: propose, preview, apply."""

from __future__ import annotations

from django.apps import AppConfig


class ChangesConfig(AppConfig):
    """Every change of what tenants may use goes through a proposal and its preview."""

    name = "quotas.changes"
    label = "changes"
