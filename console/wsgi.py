"""WSGI entry point: `python -m console.web`, or any other WSGI server."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from console import checks, linux

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

linux.forbid_inspection()
application = get_wsgi_application()
checks.report()
