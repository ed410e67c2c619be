"""WSGI entry point: `python -m console.web`, or any other WSGI server."""

from __future__ import annotations

import os

import django
from django.utils.module_loading import import_string

from console import checks, linux
from console.incoming import WSGI

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

linux.forbid_inspection()
django.setup(set_prefix=False)
application = WSGI()
checks.report()
# With all addresses, that is: whoever asks first does not wait for any of it.
import_string("console.rest.schema_view.document")()
