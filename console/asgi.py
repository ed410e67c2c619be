"""ASGI entry point, for hosts that want one. WSGI is faster for these pages (docs/adr)."""

from __future__ import annotations

import os

import django

from console import checks, linux
from console.incoming import ASGI

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

linux.forbid_inspection()
django.setup(set_prefix=False)
application = ASGI()
checks.report()
