"""A web server has everything when it says that it is ready."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.template import engines
from django.template.backends.django import DjangoTemplates

from console import warm_up
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
# What Python has imported when the application is there, and what pages then still import.
ASK = """
import json, sys
import console.wsgi
before = set(sys.modules)
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
from console.access.models import Role, User
client = Client(SERVER_NAME="127.0.0.1")
client.force_login(User.objects.create_user("ada", role=Role.ADMIN))
beside = set(sys.modules)
statuses = [client.get(path).status_code for path in json.loads(sys.argv[1])]
print(json.dumps({"statuses": statuses, "late": sorted(set(sys.modules) - beside)}))
"""
PAGES = ["/", "/jobs/", "/tenants/", "/plans/", "/targets/", "/changes/", "/api/v1/schema/",
         "/api/v1/tenants/", "/audit/", "/jobs/bundles/", "/access/account/"]  # fmt: skip


def test_no_page_imports_what_was_not_there_when_the_server_was_ready(tmp_path: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'headroom.sqlite3'}",
        "CELERY_BROKER_URL": "memory://",
        "WHITENOISE_USE_FINDERS": "true",
    }
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK, json.dumps(PAGES)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    assert set(answer["statuses"]) == {200}, ended.stderr
    ours = ("console", "tenants", "quotas", "observability", "rest_framework", "drf_spectacular")
    assert [name for name in answer["late"] if name.partition(".")[0] in ours] == []


def test_every_template_is_compiled_before_anybody_asks() -> None:
    warm_up.warm_up()
    (engine,) = (engine for engine in engines.all() if isinstance(engine, DjangoTemplates))
    (loader,) = engine.engine.template_loaders
    compiled = {getattr(template, "name", "") for template in loader.get_template_cache.values()}
    on_disk = {path.relative_to(ROOT / "templates").as_posix()
               for path in (ROOT / "templates").rglob("*.html")}  # fmt: skip
    assert on_disk - compiled == set()


def test_what_cannot_be_loaded_does_not_keep_the_server_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_path: str) -> Any:
        raise ImportError("no such module")

    monkeypatch.setattr(warm_up, "import_string", broken)
    warm_up.warm_up()
