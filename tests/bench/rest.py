"""What Headroom costs while nothing happens, what the demo costs, and the first request.

`rest`: web, worker, beat and ingest with 1,000 tenants on a Kubernetes and on a Temporal target,
all in sync, nobody at the console. `demo`: all that `make demo` starts, with its sample jobs.
Processor time is that of the processes (user and system, children included), so that it depends
little on what else the machine does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from django.utils import timezone

from console.clients import pool
from deploy.demo.stack.processes import processor_by_group, resident_by_group
from observability.ingest.loop import targets as read_targets
from observability.jobs.models import IngestState
from quotas.enforcement.models import PlacementState, RolloutItem, TargetState
from quotas.enforcement.reconcile.probe import probe
from quotas.enforcement.selectors.loop import takeable
from tests.bench import programs, sample_rows
from tests.bench.browser import Browser, session_of
from tests.bench.demo import Demo, running_demo
from tests.bench.figures import Figure, less_is_better, progress
from tests.bench.kubernetes import settle
from tests.servers import Server, kube_control_plane, temporal_server, valkey

TENANTS: Final = int(os.environ.get("BENCH_REST_TENANTS", "1000"))
SECONDS: Final = float(os.environ.get("BENCH_REST_SECONDS", "600"))
"""Everything is compared once in so long, whatever has changed."""
DEMO_SECONDS: Final = 180.0
WARM: Final = float(os.environ.get("BENCH_REST_WARM", "180"))
"""Seconds between the last change and the first figure: until then whoever was just started
compares everything, and afterwards only what has changed."""
ONLY: Final = os.environ.get("BENCH_REST_ONLY", "")
QUEUE: Final = "shared"
CPU_PERCENT: Final = 3.0
RSS_MIB: Final = 600.0
DEMO_PERCENT: Final = 25.0
FIRST_SECONDS: Final = 1.0
FIRST_PAGES: Final = {"overview": "/", "jobs": "/jobs/", "schema": "/api/v1/schema/"}
PATIENCE: Final = 900.0
MIB: Final = 2**20


def run(home: Path) -> list[Figure]:
    """Percent of one core, MiB, seconds."""
    figures = []
    if ONLY in ("", "rest", "first"):
        with ExitStack() as stack:
            env = _settled(stack, ONLY == "first")
            if ONLY != "first":
                figures += _rest(home, env)
            figures += _first_requests(home, env)
            pool.close_all()
    if ONLY in ("", "demo"):
        figures += _demo(home)
    return figures


def _settled(stack: ExitStack, empty: bool) -> dict[str, str]:
    """Servers and rows, everything in sync; the environment of whoever talks to them."""
    broker = stack.enter_context(valkey())
    env = {"CELERY_BROKER_URL": broker.url} | programs.as_installed()
    if empty:
        return env
    plane = stack.enter_context(kube_control_plane())
    temporal = stack.enter_context(temporal_server())
    cluster = sample_rows.target("lab", "kubernetes", credential=f"kubeconfig:{plane.kubeconfig}")
    namespace = sample_rows.target(
        "jobs", "temporal", endpoint=temporal.address,
        options={"namespace": "default", "queues": {QUEUE: {"base_rate": 10_000}}},
    )  # fmt: skip
    slugs = [f"r-{index:04d}" for index in range(TENANTS)]
    placed = (
        sample_rows.settle_in(cluster, sample_rows.plan(), slugs),
        sample_rows.place(namespace, slugs, queue=QUEUE),
    )
    for rows in placed:
        target = rows.target
        probe(target.pk)
        sample_rows.order(rows)
        begun = time.monotonic()
        sample_rows.carry_out(rows)
        progress(f"{target.slug}: {TENANTS} tenants pushed in {time.monotonic() - begun:.0f} s")
    settle(plane, 300)
    return env


def _rest(home: Path, env: Mapping[str, str]) -> list[Figure]:
    with _all(home, env) as servers:
        _wait_until_quiet()
        time.sleep(WARM)
        pids = {name: server.pid for name, server in servers.items()}
        used, seconds = _used(pids, SECONDS)
        resident = resident_by_group(pids.values())
    minutes = seconds / 60
    each = ", ".join(f"{name} {used[name] / minutes:.2f}" for name in used)
    memory = {name: resident[pid] / MIB for name, pid in pids.items()}
    note = f"{TENANTS} tenants on 2 targets, {seconds:.0f} s"
    return [
        less_is_better(
            *("rest", "cpu", 100 * sum(used.values()) / seconds, "% of one core"),
            "the promise", CPU_PERCENT, f"{note}; processor seconds a minute: {each}",
        ),
        less_is_better(
            *("rest", "rss", sum(memory.values()), "MiB"), "the promise", RSS_MIB,
            ", ".join(f"{name} {size:.0f}" for name, size in memory.items()),
        ),
    ]  # fmt: skip


@contextmanager
def _all(home: Path, env: Mapping[str, str]) -> Iterator[dict[str, Server]]:
    with ExitStack() as stack:
        made = {
            "web": programs.console(home, **env),
            "worker": programs.worker(home, **env),
            "beat": programs.beat(home, **env),
            "ingest": programs.ingest(home, **env),
        }
        yield {name: stack.enter_context(program) for name, program in made.items()}


def _wait_until_quiet() -> None:
    """Every target was compared after all was pushed, nothing waits, and the trail is caught up."""
    begun = timezone.now()
    deadline = time.monotonic() + PATIENCE
    while True:
        now = timezone.now()
        states = list(TargetState.objects.all())
        swept = all(state.swept_at and state.swept_at > begun for state in states)
        waiting = any(takeable(state.target_id, now).exists() for state in states)
        caught_up = IngestState.objects.filter(caught_up=True).count() == len(read_targets())
        if swept and not waiting and caught_up:
            break
        if time.monotonic() > deadline:
            raise AssertionError(f"not quiet: swept {swept}, waiting {waiting}, read {caught_up}")
        time.sleep(1)
    odd = PlacementState.objects.exclude(condition="synced").count()
    progress(f"quiet; {odd} of {2 * TENANTS} placements not in sync, "
             f"{RolloutItem.objects.count()} items")  # fmt: skip


def _used(pids: Mapping[str, int], seconds: float) -> tuple[dict[str, float], float]:
    """Processor seconds of each, over so many seconds."""
    before, begun = processor_by_group(pids.values()), time.monotonic()
    time.sleep(seconds)
    after, taken = processor_by_group(pids.values()), time.monotonic() - begun
    return {name: after[pid] - before[pid] for name, pid in pids.items()}, taken


def _first_requests(home: Path, env: Mapping[str, str]) -> list[Figure]:
    """Each of a server of its own, asked as soon as it says that it is ready."""
    cookie, taken, started = session_of(), {}, []
    for name, path in FIRST_PAGES.items():
        begun = time.monotonic()
        with programs.console(home, f"first-{name}", **env) as web:
            started.append(time.monotonic() - begun)
            before = processor_by_group([web.pid])[web.pid]
            asked_at = time.monotonic()
            status, body = Browser(web.port, cookie).get(path)
            taken[name] = time.monotonic() - asked_at
            worked = processor_by_group([web.pid])[web.pid] - before
            if status != 200:
                raise AssertionError(f"{path}: {status} {body[:300]!r}")
            progress(f"{path}: {taken[name]:.2f} s, of which {worked:.2f} s of processor")
    each = ", ".join(f"{name} {seconds:.2f}" for name, seconds in taken.items())
    return [
        less_is_better(
            *("rest", "first_request", max(taken.values()), "s"), "the promise", FIRST_SECONDS,
            f"{each}; ready after {max(started):.1f} s",
        )
    ]  # fmt: skip


def _demo(home: Path) -> list[Figure]:
    with running_demo(home) as demo:
        time.sleep(WARM)
        used, seconds = _used(_pids(demo), DEMO_SECONDS)
    heaviest = sorted(used, key=lambda name: -used[name])
    each = ", ".join(f"{name} {100 * used[name] / seconds:.1f}" for name in heaviest)
    return [
        less_is_better(
            *("demo", "cpu", 100 * sum(used.values()) / seconds, "% of one core"),
            "the promise", DEMO_PERCENT, f"{seconds:.0f} s; {each}",
        )
    ]  # fmt: skip


def _pids(demo: Demo) -> dict[str, int]:
    parts = {name: pid for name, (state, pid) in demo.parts().items() if state == "ready" and pid}
    return {**parts, "supervisor": demo.supervisor}
