"""A peer on the same rows and the same server: Django's own admin, as anybody would set it up."""

from __future__ import annotations

from typing import Any, cast

from console.settings import *  # noqa: F403 - the same database, sessions and middleware
from console.settings import INSTALLED_APPS as APPS
from console.settings import MIDDLEWARE as CHAIN
from console.settings import TEMPLATES as ENGINES

INSTALLED_APPS = ["django.contrib.admin", *APPS]
# Without what is Headroom's own, so that the peer does not pay for it.
MIDDLEWARE = [name for name in CHAIN if name.startswith("django.")]
ROOT_URLCONF = "tests.bench.admin_urls"
_OPTIONS = cast("dict[str, Any]", ENGINES[0]["OPTIONS"])
TEMPLATES = [
    {
        **ENGINES[0],
        "OPTIONS": {
            **_OPTIONS,
            "context_processors": [
                name for name in _OPTIONS["context_processors"] if name.startswith("django.")
            ],
        },
    }
]
