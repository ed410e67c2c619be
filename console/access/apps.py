"""People and machines: sign-in, roles, API tokens."""

from __future__ import annotations

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Holds the user model."""

    name = "console.access"
    label = "access"
