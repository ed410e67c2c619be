"""What an installation stands on: `manage.py` in a process, and its own database and broker, which
this process uses as well, as a web process would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from kombu import pools

from console.celery import app
from console.env import database
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


def manage(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`manage.py` in a process of its own."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words],
        cwd=ROOT,
        env={**os.environ, "SECRET_KEY": "x" * 50, **env},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )


def migrate(url: str) -> None:
    """An empty database becomes Headroom's."""
    done = manage("migrate", "--verbosity=0", DATABASE_URL=url)
    assert done.returncode == 0, done.stderr


def copied(template: Path, home: Path) -> str:
    """A fresh SQLite file; its URL."""
    path = home / "headroom.sqlite3"
    shutil.copy(template, path)
    return f"sqlite:///{path}"


@contextmanager
def connected(url: str, blocker: Any) -> Iterator[None]:
    """This process (every thread of it) uses another database for a while."""
    before = connections.settings["default"]
    held = connections["default"]
    entry = _parsed(url)
    same = entry["ENGINE"] == before["ENGINE"]
    kept = {name: before[name] for name in ("OPTIONS",) if same and name in before}
    defaults = {
        name: before[name]
        for name in ("ATOMIC_REQUESTS", "AUTOCOMMIT", "CONN_MAX_AGE", "TIME_ZONE", "TEST")
    }
    full: dict[str, Any] = {"HOST": "", "PORT": "", "USER": "", "PASSWORD": "", "OPTIONS": {}}
    full |= {**defaults, "CONN_HEALTH_CHECKS": False, **entry, **kept}
    with blocker.unblock():
        connections.settings["default"] = full
        del connections["default"]
        try:
            yield
        finally:
            connections["default"].close()
            connections.settings["default"] = before
            connections["default"] = held


def _parsed(url: str) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        return database("DATABASE_URL", url)


@contextmanager
def sending_to(url: str) -> Iterator[None]:
    """Tasks that this process sends go to another broker for a while."""

    def forget() -> None:
        pools.reset()
        app.amqp._producer_pool = None  # type: ignore[attr-defined]  # no public way back
        app._pool = None  # type: ignore[attr-defined]  # no public way back

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELERY_BROKER_URL", url)
        forget()
        yield
    forget()
