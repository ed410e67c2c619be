"""ASGI entry point, for hosts that want one. WSGI is faster for these pages (docs/adr)."""

from __future__ import annotations

import os

import django

from console import checks, linux
from console.incoming import ASGI
from console.warm_up import warm_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

linux.prepare_process()
django.setup(set_prefix=False)
application = ASGI()
checks.report()
warm_up()
