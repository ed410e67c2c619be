"""Tenants, memberships, targets and placements."""

from __future__ import annotations

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Who is governed, and where."""

    name = "tenants"
