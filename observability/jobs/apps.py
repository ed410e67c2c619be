"""Runs of jobs over every engine and what happened to them."""

from __future__ import annotations

from django.apps import AppConfig

from console.navigation import NavEntry, ObjectPage


class JobsConfig(AppConfig):
    """Runs of jobs over every engine and what happened to them."""

    name = "observability.jobs"
    label = "jobs"
    navigation = (NavEntry("Jobs", "jobs:explorer", icon="jobs", key="j", place=60),)
    object_pages = {  # noqa: RUF012 - Django's way to configure an app
        "job": ObjectPage("jobs:run", pk="id"),
    }
