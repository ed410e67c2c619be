"""When each loop last ran."""

from __future__ import annotations

from django.apps import AppConfig


class LoopsConfig(AppConfig):
    """Holds the last tick of each loop."""

    name = "console.loops"
    label = "loops"
