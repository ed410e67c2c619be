"""The loop: compile, diff, apply, observe."""

from __future__ import annotations

from django.apps import AppConfig


class EnforcementConfig(AppConfig):
    """Makes every plane obey, and remembers what was seen there."""

    name = "quotas.enforcement"
    label = "enforcement"
