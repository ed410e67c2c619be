"""The loop: compile, diff, apply, observe."""

from __future__ import annotations

from django.apps import AppConfig

from console.navigation import NavEntry, ObjectPage


class EnforcementConfig(AppConfig):
    """Makes every plane obey, and remembers what was seen there."""

    name = "quotas.enforcement"
    label = "enforcement"
    navigation = (
        NavEntry("Overview", "enforcement:overview", icon="overview", key="o", place=10),
        NavEntry("Tenants", "enforcement:tenants", icon="tenants", key="t", place=20),
        NavEntry("Rollouts", "enforcement:rollouts", icon="rollouts", key="r", place=40),
        NavEntry("Targets", "enforcement:targets", icon="targets", key="g", place=50),
    )
    object_pages = {  # noqa: RUF012 - Django's way to configure an app
        "tenant": ObjectPage("enforcement:tenant", slug="label"),
        "rollout": ObjectPage("enforcement:rollout", pk="id"),
        "target": ObjectPage("enforcement:target", slug="label"),
    }
