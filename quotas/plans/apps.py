"""Plans, subscriptions, leases."""

from __future__ import annotations

from django.apps import AppConfig

from console.navigation import NavEntry, ObjectPage


class PlansConfig(AppConfig):
    """What each tenant may use, and since when."""

    name = "quotas.plans"
    label = "plans"
    navigation = (NavEntry("Plans", "plans:plans", icon="plans", key="p", place=30),)
    object_pages = {  # noqa: RUF012 - Django's way to configure an app
        "plan": ObjectPage("plans:plan", slug="label"),
    }
