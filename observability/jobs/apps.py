"""Runs of jobs over every engine and what happened to them."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Runs of jobs over every engine and what happened to them."""

    name = "observability.jobs"
    label = "jobs"
