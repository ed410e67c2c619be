"""WSGI entry point: `python -m console.web`, or any other WSGI server."""

from __future__ import annotations

import os

import django

from console import checks, linux
from console.incoming import WSGI
from console.warm_up import warm_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

linux.prepare_process()
django.setup(set_prefix=False)
application = WSGI()
checks.report()
# Whoever asks first does not wait for any of it; /readyz is not answered before.
warm_up()
