"""The page of a run with 10,000 events, on SQLite and on PostgreSQL, with one worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.bench import programs
from tests.bench.browser import Browser
from tests.bench.figures import Figure, percentile, progress
from tests.postgres import postgres
from tests.servers import ServerError

EVENTS: Final = int(os.environ.get("BENCH_HISTORY_EVENTS", "10000"))
TIMES: Final = int(os.environ.get("BENCH_HISTORY_TIMES", "20"))
WARM: Final = 3


def run(home: Path) -> list[Figure]:
    """SQLite's figures under their plain names, PostgreSQL's with @postgresql behind."""
    figures = _on(home, f"sqlite:///{home / 'history.sqlite3'}", "")
    try:
        with postgres() as server:
            figures += _on(home, server.url, "@postgresql")
    except ServerError as error:
        progress(f"PostgreSQL: not measured: {error}")
    return figures


def _on(home: Path, url: str, where: str) -> list[Figure]:
    filled = subprocess.run(
        [sys.executable, "-m", "tests.bench.long_run", str(EVENTS)],
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        check=True,
    )
    contents: Mapping[str, Any] = json.loads(filled.stdout.splitlines()[-1])
    with programs.web(home, DATABASE_URL=url) as server:
        browser = Browser(server.port, contents["cookie"])
        try:
            return _measured(browser, int(contents["run"]), where)
        finally:
            browser.close()


def _measured(browser: Browser, run: int, where: str) -> list[Figure]:
    """The page as it opens: picture, first page of events, related runs, limits then. The very
    first time counts too: it is what a person meets after a restart."""
    begun = time.perf_counter()
    status, body = browser.get(f"/jobs/{run}/")
    first = (time.perf_counter() - begun) * 1000
    if status != 200 or f">{EVENTS}<".encode() not in body or b"Attempt 1 of charge" not in body:
        raise AssertionError(f"{status}: the page does not show {EVENTS} events")
    page = _times(browser, f"/jobs/{run}/")
    note = f"p95 of {TIMES}, {EVENTS:,} events, page of {len(body) // 1024} KiB with the first ones"
    return [
        Figure("history", f"open_10k_events{where}", percentile(page, 0.95), "ms", note=note),
        Figure("history", f"open_p50{where}", percentile(page, 0.5), "ms"),
        Figure(
            "history", f"open_first{where}", first, "ms", note="the server's very first request"
        ),
    ]


def _times(browser: Browser, path: str) -> list[float]:
    browser.milliseconds(path, WARM)
    return browser.milliseconds(path, TIMES)
