"""WSGI entry point: `granian --interface wsgi console.wsgi:application`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from console import checks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

application = get_wsgi_application()
checks.report()
