"""The job explorer at 1,000,000 runs and 10,000,000 events on PostgreSQL, and at 200,000 runs on
SQLite, with one worker: first page, thousandth page, searches of every kind, facets, REST.

Times are the client's, over one kept loopback connection. Nothing is cached between requests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tests.bench import programs
from tests.bench.browser import Browser
from tests.bench.figures import Figure, percentile, progress
from tests.bench.trail import EVENTS, OLD, RARE
from tests.postgres import postgres
from tests.servers import ServerError

ON_SQLITE: Final = int(os.environ.get("BENCH_JOBS_SQLITE", "200000"))
ON_POSTGRESQL: Final = int(os.environ.get("BENCH_JOBS_POSTGRESQL", "1000000"))
TIMES: Final = int(os.environ.get("BENCH_JOBS_TIMES", "40"))
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
WARM: Final = 5
SEARCHES: Final[Mapping[str, str]] = {
    "a common word": "workflow sync",
    "a very common word": "pool",
    "a rare word": RARE.lower(),
    "a word that nobody has": "zzzzzz",
    "the beginning of very many": "p",
    "an error": "OOMKilled",
    "an error in quotes": '"exceeded its memory limit"',
    "a rare error": '"TimerStarted instead"',
    "a common error": '"503 Service Unavailable"',
    "words that meet rarely": "needle oomkilled",
    "one that is long gone": OLD,
    "a status": "status:failed",
    "a rare status": "status:paused",
    "several statuses": "status:bad",
    "what is open": "status:open",
    "a big tenant": "tenant:tenant-000",
    "a small tenant": "tenant:tenant-299",
    "nobody's": "tenant:none",
    "a big tenant's failures": "tenant:tenant-000 status:failed",
    "a small tenant's failures": "tenant:tenant-299 status:lost",
    "a contradiction": "status:succeeded OOMKilled",
    "a type's errors": "type:InvoiceFlow status:bad memory",
    "an old type": f"type:{OLD} status:failed",
    "an engine's lately": "engine:argo since:2h",
    "an engine's errors": "engine:celery status:failed timeout",
    "a target's lost": "target:lab-k8s status:lost",
    "a worker": "worker:17@pool-temporal-230",
    "what took long": "took:>1500s",
    "what took long and failed": "took:>1500s status:failed tenant:tenant-001",
    "what was quick": "took:<150ms",
    "a queue": "queue:queue-tenant-250",
    "a kind of failure": "failure:out_of_memory engine:kubernetes",
    "the beginning of an id": "id:invoiceflow-tenant-004-a",
    "of one week": "since:14d until:7d status:bad tenant:tenant-002",
}
FACETS: Final = ("", "status:failed", "tenant:tenant-000 status:bad", "oomkilled", RARE.lower())


def run(home: Path) -> list[Figure]:
    """SQLite's figures under their plain names, PostgreSQL's with @postgresql behind."""
    figures = _on(home, f"sqlite:///{home / 'jobs.sqlite3'}", "", ON_SQLITE)
    try:
        with postgres() as server:
            figures += _on(home, server.url, "@postgresql", ON_POSTGRESQL)
    except ServerError as error:
        progress(f"PostgreSQL: not measured: {error}")
    return figures


def _on(home: Path, url: str, where: str, count: int) -> list[Figure]:
    begun = time.perf_counter()
    filled = subprocess.run(
        [sys.executable, "-m", "tests.bench.trail", str(count)],
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        check=True,
    )
    progress(f"{url.partition(':')[0]}: filled in {time.perf_counter() - begun:.0f} s")
    return measure(home, url, where, json.loads(filled.stdout), count)


def measure(
    home: Path, url: str, where: str, contents: Mapping[str, str], count: int
) -> list[Figure]:
    """The figures of one database that is filled."""
    with programs.web(home, DATABASE_URL=url) as server:
        browser = Browser(server.port, contents["cookie"])
        try:
            return _pages(browser, where, contents["cursor"], count) + _searches(
                browser, where, count
            )
        finally:
            browser.close()


def _pages(browser: Browser, where: str, cursor: str, count: int) -> list[Figure]:
    note = f"{count:,} runs, {count * EVENTS:,} events, {ROUNDS} × {TIMES} requests"
    pages = {
        "first_page": "/jobs/",
        "page_1000": f"/jobs/?cursor={cursor}",
        "status_page_1000": f"/jobs/?q=status:succeeded&cursor={cursor}",
        "word_page_1000": f"/jobs/?q=pool&cursor={cursor}",
        "rest_list": "/api/v1/jobs/?page_size=100",
        "rest_updated_since": "/api/v1/jobs/?page_size=100&updated_since=2020-01-01T00:00:00Z",
    }
    # By turns, so that a busy machine is busy for all of them.
    taken: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(ROUNDS):
        for name, path in pages.items():
            taken[name] += _times(browser, path)
    figures = [
        Figure("explorer", f"{name}_{label}{where}", percentile(times, share), "ms", note=note)
        for name, times in taken.items()
        for label, share in (("p50", 0.5), ("p95", 0.95))
    ]
    first, deep = (percentile(taken[name], 0.5) for name in ("first_page", "page_1000"))
    ratio = Figure(
        "explorer", f"page_1000_p50_vs_first{where}", deep / first, "×", note="1 is flat"
    )
    return [*figures, ratio]


def _searches(browser: Browser, where: str, count: int) -> list[Figure]:
    """All searches together, the slowest of them by name, and the facets."""
    taken = {name: _times(browser, f"/jobs/?q={quote(query)}") for name, query in SEARCHES.items()}
    for name, times in taken.items():
        progress(f"{percentile(times, 0.5):7.1f} {percentile(times, 0.95):7.1f} ms  {name}")
    worst = max(taken, key=lambda name: percentile(taken[name], 0.95))
    together = [duration for times in taken.values() for duration in times]
    facets = [
        duration
        for query in FACETS
        for duration in _times(browser, f"/jobs/facets/?q={quote(query)}")
    ]
    note = f"{count:,} runs, {len(SEARCHES)} searches × {TIMES}"
    return [
        Figure("explorer", f"search_p50{where}", percentile(together, 0.5), "ms", note=note),
        Figure("explorer", f"search_p95{where}", percentile(together, 0.95), "ms", note=note),
        Figure(
            *("explorer", f"search_worst_p95{where}", percentile(taken[worst], 0.95), "ms"),
            note=f"{worst}: {SEARCHES[worst]}",
        ),
        Figure("explorer", f"facets_p50{where}", percentile(facets, 0.5), "ms"),
        Figure("explorer", f"facets_p95{where}", percentile(facets, 0.95), "ms"),
    ]


def _times(browser: Browser, path: str) -> list[float]:
    browser.milliseconds(path, WARM)
    return browser.milliseconds(path, TIMES)
