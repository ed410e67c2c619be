"""`celery -A console beat` without the code of the tasks: it sends their names."""

from __future__ import annotations

from typing import Final

import django
from celery.apps.beat import Beat
from django.conf import settings

_APPS: Final = ["console.loops"]
"""The only rows that it reads and writes are its own ticks."""


class LeanBeat(Beat):
    """Celery's own, which would import every task and with it the SDK of every engine."""

    def init_loader(self) -> None:
        """What is needed to send what the schedule in the settings names."""
        settings.INSTALLED_APPS = _APPS
        django.setup()
        if self.app is not None:
            self.app.finalize()
