"""Plans, subscriptions, leases."""

from __future__ import annotations

from django.apps import AppConfig


class PlansConfig(AppConfig):
    """What each tenant may use, and since when."""

    name = "quotas.plans"
    label = "plans"
