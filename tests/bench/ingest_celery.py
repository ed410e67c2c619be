"""Celery's task events into the trail, beside Flower that hears the very same ones.

Both are attached to one Valkey at the same time, each a process of its own (`manage.py ingest`,
`celery flower`), and a third publishes 20,000 tasks' events at once. Each is done when it has taken
in the last event: ours when it is in a committed row, Flower's when its own metrics count it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from redis import Redis

from deploy import ports
from observability.jobs.models import IngestGap, IngestState, JobEvent, JobRun
from tenants.models import Target
from tests.bench import sample_rows
from tests.bench.celery_events import events_in
from tests.bench.figures import Figure, less_is_better, median, more_is_better, progress
from tests.servers import ValkeyServer, valkey

TASKS: Final = int(os.environ.get("BENCH_CELERY_TASKS", "20000"))
ROUNDS: Final = int(os.environ.get("BENCH_CELERY_ROUNDS", "3"))
LOOK: Final = 0.1
PATIENCE: Final = 300.0
"""Seconds after which whoever has not got everything has lost some of it."""
_COUNTED: Final = re.compile(r"^flower_events_total\{.*\} (\S+)$", re.MULTILINE)
_KINDS: Final = ("succeeded", "failed", "cancelled")


@dataclass(slots=True)
class Taken:
    """Seconds from the first event published to the last one taken in, by who took it, and the
    seconds of processor that it took."""

    ours: list[float] = field(default_factory=list)
    flower: list[float] = field(default_factory=list)
    work: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "flower": []})


def run(home: Path) -> list[Figure]:
    """Together in every round; then each alone, for what it is worth."""
    count = events_in(TASKS)
    together, alone = Taken(), Taken()
    for number in range(ROUNDS):
        _round(home, f"round-{number}", count, together, ours=True, flower=True)
    _round(home, "alone", count, alone, ours=True, flower=False)
    _round(home, "alone", count, alone, ours=False, flower=True)
    note = f"{TASKS:,} tasks, {count:,} events, every one a row, same run"
    return [
        more_is_better(
            *("ingest_celery", "rate_vs_flower", count / median(together.ours), "events/s"),
            *("Flower, same stream", count / median(together.flower), note),
        ),
        more_is_better(
            *("ingest_celery", "rate_alone_vs_flower_alone", count / alone.ours[0], "events/s"),
            *("Flower alone", count / alone.flower[0], "one after the other"),
        ),
        less_is_better(
            *("ingest_celery", "processor", _each(together, "ours", count), "µs/event"),
            *("Flower, same stream", _each(together, "flower", count)),
        ),
    ]


def _each(taken: Taken, who: str, count: int) -> float:
    return median(taken.work[who]) / count * 1e6


def _round(home: Path, name: str, count: int, taken: Taken, *, ours: bool, flower: bool) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(valkey(persistent=False))
        broker = Redis(port=server.port)
        # Whoever is slow is to be slow, and not to be cut off.
        broker.config_set("client-output-buffer-limit", "pubsub 0 0 0")
        publisher = stack.enter_context(_process(*_events("publish", server.url, str(TASKS))))
        _line(publisher)
        target = _target(f"{name}-{server.port}", server) if ours else None
        pids: dict[str, int] = {}
        if target is not None:
            pids["ours"] = stack.enter_context(_ingest(home, target))
        page = ""
        if flower:
            page, pids["flower"] = stack.enter_context(_flower(home, server))
        listeners = ours + flower
        _until(lambda: _subscribed(broker) >= listeners, "nobody listens")
        _line(stack.enter_context(_process(*_events("answer", server.url))))
        _until(lambda: _subscribed(broker) > listeners, "no worker answers")
        before = {who: _worked(pid) for who, pid in pids.items()}
        begun = _begin(publisher, listeners)
        for who, seconds in _wait(count, begun, target, page, pids).items():
            getattr(taken, who).append(seconds[0])
            taken.work[who].append(seconds[1] - before[who])
            micros = taken.work[who][-1] / count * 1e6
            progress(
                f"{who}: {count / seconds[0]:,.0f} events/s, {micros:.0f} µs of processor each"
            )
        if target is not None:
            _check(target, count)


def _wait(
    count: int, begun: float, target: Target | None, page: str, pids: dict[str, int]
) -> dict[str, tuple[float, float]]:
    """Looks at both until both have everything: when that was, and how long each had worked."""
    done: dict[str, tuple[float, float]] = {}
    counts: dict[str, int] = {}
    while len(done) < len(pids):
        time.sleep(LOOK)
        for who in sorted(pids.keys() - done.keys()):
            counts[who] = _stored(target) if who == "ours" and target else _counted(page)
            if counts[who] >= count:
                done[who] = (time.monotonic() - begun, _worked(pids[who]))
        if time.monotonic() - begun > PATIENCE:
            raise AssertionError(f"of {count} events there are only {counts}")
    return done


def _worked(pid: int) -> float:
    """Seconds of processor that a process and those that it started have taken so far."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            fields = stat.read_text().rpartition(")")[2].split()
            if pid in (int(stat.parent.name), int(fields[1])):
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _stored(target: Target) -> int:
    return IngestState.objects.values_list("events_read", flat=True).get(target=target)


def _counted(page: str) -> int:
    with urllib.request.urlopen(page, timeout=60) as answer:
        text = answer.read().decode()
    return int(sum(float(number) for number in _COUNTED.findall(text)))


def _check(target: Target, count: int) -> None:
    """Everything is there once, and ended as it did."""
    events = JobEvent.objects.filter(run__target=target).count()
    runs = JobRun.objects.filter(target=target)
    ended = runs.filter(status__in=_KINDS, closed_at__isnull=False).count()
    gaps = IngestGap.objects.filter(target=target).count()
    if (events, runs.count(), ended, gaps) != (count, TASKS, TASKS, 0):
        raise AssertionError(f"{events} of {count} events, {ended} of {TASKS} ended, {gaps} gaps")


# -- processes ------------------------------------------------------------------------------------


def _target(slug: str, server: ValkeyServer) -> Target:
    return sample_rows.target(slug, "celery", endpoint=server.url, options={"app": "bench"})


@contextmanager
def _ingest(home: Path, target: Target) -> Iterator[int]:
    """Gives its process id."""
    own = target.endpoint.replace("/0", "/1")  # for Headroom's own messages: a sweep is asked for
    env = {"ARCHIVE_URL": (home / target.slug).as_uri(), "CELERY_BROKER_URL": own}
    argv = ("-m", "django", "ingest", "--target", target.slug)
    with _process(*argv, log=home / f"{target.slug}.log", **env) as child:
        listening = IngestState.objects.filter(target=target, read_at__isnull=False)
        _until(listening.exists, "ingest does not listen")
        yield child.pid


@contextmanager
def _flower(home: Path, server: ValkeyServer) -> Iterator[tuple[str, int]]:
    """Gives the address of its metrics and its process id."""
    port = ports.any_free()
    argv = ("-m", "celery", "-b", server.url, "flower", "--address=127.0.0.1", f"--port={port}")
    page = f"http://127.0.0.1:{port}/metrics"
    with _process(*argv, log=home / f"flower-{port}.log") as child:
        _until(lambda: _answers(page), "Flower does not answer")
        yield page, child.pid


def _answers(page: str) -> bool:
    try:
        _counted(page)
    except OSError:
        return False
    return True


def _events(*argv: str) -> tuple[str, ...]:
    return ("-m", "tests.bench.celery_events", *argv)


@contextmanager
def _process(*argv: str, log: Path | None = None, **env: str) -> Iterator[subprocess.Popen[str]]:
    with ExitStack() as stack:
        out: Any = subprocess.PIPE if log is None else stack.enter_context(log.open("w"))
        child = subprocess.Popen(
            [sys.executable, *argv],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=None if log is None else subprocess.STDOUT,
            text=True,
            env={**os.environ, **env},
        )
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _line(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise AssertionError(f"{child.args!r} ended")
    message: dict[str, Any] = json.loads(line)
    return message


def _begin(publisher: subprocess.Popen[str], listeners: int) -> float:
    """Has it publish; when it began. Every event must have reached everybody's connection."""
    assert publisher.stdin is not None
    publisher.stdin.write("\n")
    publisher.stdin.flush()
    first = _line(publisher)
    if first["listeners"] < listeners:
        raise AssertionError(f"{first['listeners']} of {listeners} heard the first events")
    return float(first["begun"])


def _subscribed(broker: Any) -> int:
    """Connections that listen to fanouts: to events, and to remote control."""
    return sum(1 for client in broker.client_list() if int(client.get("psub", 0)) > 0)


def _until(there: Any, otherwise: str) -> None:
    deadline = time.monotonic() + 60
    while not there():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise)
        time.sleep(LOOK)
