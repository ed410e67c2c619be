"""Replaying recorded histories against registered workflow bundles."""

from __future__ import annotations

from django.apps import AppConfig


class ReplaysConfig(AppConfig):
    """Replaying recorded histories against registered workflow bundles."""

    name = "observability.replays"
    label = "replays"
