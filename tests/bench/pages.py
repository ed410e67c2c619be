"""The tenant pages at 10,000 tenants, on SQLite and on PostgreSQL, with one worker.

Times are the client's, over one kept loopback connection: server, framework and transport, all of
it. Django's own admin lists the same rows in the same run.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench import programs
from tests.bench.browser import Browser
from tests.bench.figures import Figure, less_is_better, median, percentile, progress
from tests.postgres import postgres
from tests.servers import ServerError

TENANTS: Final = int(os.environ.get("BENCH_PAGES_TENANTS", "10000"))
TIMES: Final = int(os.environ.get("BENCH_PAGES_TIMES", "150"))
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
WARM: Final = 20
PAGE: Final = 50
PEER: Final = "Django admin, same run"


def run(home: Path) -> list[Figure]:
    """SQLite's figures under their plain names, PostgreSQL's with @postgresql behind."""
    figures = _on(home, f"sqlite:///{home / 'pages.sqlite3'}", "")
    try:
        with postgres() as server:
            figures += _on(home, server.url, "@postgresql")
    except ServerError as error:
        progress(f"PostgreSQL: not measured: {error}")
    return figures


def last_page() -> str:
    """The cursor of the last page: it begins behind the slug before it."""
    edge = f"tenant-{TENANTS - PAGE - 1:05d}"
    return base64.urlsafe_b64encode(json.dumps([0, edge]).encode()).decode().rstrip("=")


def _on(home: Path, url: str, where: str) -> list[Figure]:
    begun = time.perf_counter()
    filled = subprocess.run(
        [sys.executable, "-m", "tests.bench.populate", str(TENANTS)],
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        check=True,
    )
    contents = json.loads(filled.stdout)
    cookie = contents["cookie"]
    progress(f"{url.partition(':')[0]}: filled in {time.perf_counter() - begun:.0f} s")
    pages = {
        "tenant_list": "/tenants/",
        "tenant_last_page": f"/tenants/?cursor={last_page()}",
        "tenant_detail": f"/tenants/tenant-{TENANTS // 2:05d}/",
    }
    admin = {
        "tenant_list": "/admin/tenants/tenant/",
        "tenant_last_page": f"/admin/tenants/tenant/?p={TENANTS // PAGE}",
        "tenant_detail": "/admin/tenants/tenant/1/change/",
    }
    with (
        _browser(home, cookie, DATABASE_URL=url) as ours,
        _browser(
            home, cookie, DATABASE_URL=url, DJANGO_SETTINGS_MODULE="tests.bench.admin_settings"
        ) as theirs,
    ):
        return _measure(ours, pages, theirs, admin, where) + [
            less_is_better(
                *("pages", f"tenant_{name}_queries{where}", contents["many"][name], "queries"),
                "at 1,000 tenants",
                contents["few"][name],
            )
            for name in ("list", "detail")
        ]


@contextmanager
def _browser(home: Path, cookie: str, **env: str) -> Iterator[Browser]:
    with programs.web(home, **env) as server:
        browser = Browser(server.port, cookie)
        try:
            yield browser
        finally:
            browser.close()


def _measure(
    ours: Browser, pages: dict[str, str], theirs: Browser, admin: dict[str, str], where: str
) -> list[Figure]:
    """Ours and the peer's by turns, so that a busy machine is busy for both."""
    taken: dict[str, list[list[float]]] = {name: [] for name in pages}
    peer: dict[str, list[list[float]]] = {name: [] for name in pages}
    for browser, paths in ((ours, pages), (theirs, admin)):
        for path in paths.values():
            browser.milliseconds(path, WARM)
    for _ in range(ROUNDS):
        for name in pages:
            taken[name].append(ours.milliseconds(pages[name], TIMES))
            peer[name].append(theirs.milliseconds(admin[name], TIMES // 3))
    note = f"{TENANTS:,} tenants, {ROUNDS} × {TIMES} requests"
    figures = []
    for name in pages:
        for label, share in (("p50", 0.5), ("p95", 0.95)):
            figures.append(
                less_is_better(
                    *("pages", f"{name}_{label}{where}", _typical(taken[name], share), "ms"),
                    PEER,
                    _typical(peer[name], share),
                    note,
                )
            )
    first, last = _typical(taken["tenant_list"], 0.5), _typical(taken["tenant_last_page"], 0.5)
    figures.append(
        less_is_better(
            *("pages", f"tenant_last_page_p50_vs_first{where}", last, "ms"), "first page", first
        )
    )
    return figures


def _typical(rounds: list[list[float]], share: float) -> float:
    return median([percentile(times, share) for times in rounds])
