"""The console's own processes for a bench: one granian worker, one Celery worker."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

from deploy import ports
from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from tests.servers import Server

ROOT: Final = Path(__file__).resolve().parents[2]
MANAGE: Final = ROOT / "manage.py"


def as_installed() -> dict[str, str]:
    """The environment in which a program has no more packages than requirements/base.txt names, as
    on a server: some libraries load whatever else they find."""
    served, developed = (_pinned(ROOT / "requirements" / f"{name}.txt") for name in ("base", "dev"))
    absent = {
        module
        for module, names in packages_distributions().items()
        if not {_normal(name) for name in names} - (developed - served)
    }
    return {
        "PYTHONPATH": str(ROOT / "tests" / "bench" / "as_installed"),
        "BENCH_ABSENT": ",".join(sorted(absent)),
    }


def _pinned(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {
        _normal(line.partition("==")[0]) for line in lines if "==" in line and line[0].isalpha()
    }


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


@contextmanager
def web(
    home: Path, *, application: str = "console.wsgi:application", **env: str
) -> Iterator[Server]:
    """A granian with one worker, as `make demo` runs it."""
    port, log = ports.any_free(), home / f"web-{ports.any_free()}.log"
    part = Part(
        name="web",
        argv=(
            *(sys.executable, "-m", "granian", "--interface", "wsgi"),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            *("--blocking-threads", "4", "--no-ws", "--http", "1", "--log-level", "warning"),
            application,
        ),
        env={**os.environ, **env},
        log=log,
        port=port,
        ready=probes.answers(f"http://127.0.0.1:{port}/healthz"),
    )
    yield from _running(part)


@contextmanager
def console(home: Path, name: str = "console", **env: str) -> Iterator[Server]:
    """The web server as it is run for real, taken as started when it answers at all."""
    port = ports.any_free()
    part = Part(
        name=name,
        argv=(
            *(sys.executable, "-m", "console.web", "--host", "127.0.0.1", "--port", str(port)),
            *("--workers", "1", "--blocking-threads", "4", "--no-ws", "--http", "1"),
            *("--log-level", "warning"),
        ),
        env={**os.environ, **env},
        log=home / f"{name}.log",
        port=port,
        ready=probes.answers(f"http://127.0.0.1:{port}/readyz"),
    )
    yield from _running(part)


@contextmanager
def beat(home: Path, **env: str) -> Iterator[Server]:
    """Celery's clock."""
    log = home / "beat.log"
    part = Part(
        name="beat",
        argv=(
            *(sys.executable, "-m", "celery", "-A", "console", "beat", "--pidfile", ""),
            *("--schedule", str(home / "beat-schedule"), "--loglevel", "INFO"),
        ),
        env={**os.environ, **env},
        log=log,
        ready=probes.log_says(log, "beat: Starting"),
    )
    yield from _running(part)


@contextmanager
def ingest(home: Path, **env: str) -> Iterator[Server]:
    """The process that reads the engines."""
    log = home / "ingest.log"
    part = Part(
        name="ingest",
        argv=(sys.executable, str(MANAGE), "ingest"),
        env={**os.environ, "LOG_LEVEL": "INFO", **env},
        log=log,
        ready=probes.log_says(log, "ingest.started"),
    )
    yield from _running(part)


@contextmanager
def worker(home: Path, **env: str) -> Iterator[Server]:
    """A Celery worker, as `make demo` runs it; without beat, so nothing but messages wakes it."""
    log = home / "worker.log"
    part = Part(
        name="worker",
        argv=(
            *(sys.executable, "-m", "celery", "-A", "console", "worker", "--pool", "threads"),
            *("--concurrency", "4", "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        ),
        env={**os.environ, **env},
        log=log,
        ready=probes.log_says(log, " ready."),
        stop_timeout=15.0,
    )
    yield from _running(part)


def _running(part: Part) -> Iterator[Server]:
    server = Server(part)
    try:
        server.start()
        yield server
    finally:
        server.stop()
