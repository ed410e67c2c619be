"""ASGI entry point, for hosts that want one. WSGI is faster for these pages (docs/adr)."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from console import checks, linux

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

linux.forbid_inspection()
application = get_asgi_application()
checks.report()
