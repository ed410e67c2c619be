"""A trail as it looks after a month: a million runs, ten events each. `python -m tests.bench.trail
RUNS` migrates and fills the database that DATABASE_URL names and prints what a client needs."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any, Final

import django

from tests.bench.figures import progress

EVENTS: Final = 10
DAYS: Final = 30
TENANTS: Final = 300
CHUNK: Final = 10_000
TARGETS: Final = (
    ("temporal-eu", "temporal"), ("temporal-us", "temporal"), ("argo-eu", "argo"),
    ("celery-eu", "celery"), ("prod-gke", "kubernetes"), ("lab-k8s", "kubernetes"),
)  # fmt: skip
TYPES: Final = tuple(
    f"{noun}{verb}"
    for noun in ("Invoice", "Report", "Model", "Feed", "Image", "Ledger", "Crawl", "Mail")
    for verb in ("Flow", "Export", "Train", "Sync", "Render")
)
STATUSES: Final = (
    ("succeeded", 860), ("failed", 60), ("running", 12), ("waiting", 4), ("timed_out", 15),
    ("cancelled", 20), ("terminated", 10), ("continued", 15), ("lost", 3), ("paused", 1),
)  # fmt: skip
FAILURES: Final = (
    ("PaymentDown: 503 Service Unavailable from https://pay.example/charge", "application", 700),
    ("activity StartToClose timeout after 30s on worker-{n}", "timeout", 200),
    ("OOMKilled: container main exceeded its memory limit of 2 GiB", "out_of_memory", 60),
    ("exceeded quota: {t}-quota, requested: limits.cpu=4, limited: 40", "quota", 38),
    ("NonDeterminismError: TimerStarted instead of ActivityTaskScheduled", "non_determinism", 2),
)  # fmt: skip
OLD: Final = "LegacyNightlyExport"
"""One run in fifty, but none since the first two days: the walk back from the newest must not be
taken for it."""
RARE: Final = "NeedleWorkflow"
"""One run in a hundred thousand."""

RUN_COLUMNS: Final = (
    "id", "engine", "target_id", "external_id", "run_id", "location", "key", "tenant_id",
    "attribution", "type", "queue", "fairness_key", "status", "created_at", "began_at",
    "closed_at", "duration_ms", "attempts", "failure", "failure_kind", "started_by", "worker",
    "build", "parent_key", "attributes", "search", "revision", "history_due",
    "history_through", "history_tries", "history_error", "event_count", "archive",
    "archive_path", "archive_media", "archive_sha256", "first_seen_at", "updated_at",
)  # fmt: skip
EVENT_COLUMNS: Final = (
    "run_id", "seq", "key", "at", "kind", "title", "step", "step_name", "attempt", "actor",
    "message", "detail",
)  # fmt: skip
KINDS: Final = (
    "created", "scheduled", "attempt_started", "checkpoint", "attempt_failed", "retry",
    "attempt_started", "step_completed", "worker", "succeeded",
)  # fmt: skip

Row = tuple[Any, ...]


def main() -> None:
    """Fills, and prints the session's cookie and the cursor of the thousandth page."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from tests.bench.browser import session_of

    cookie = session_of()
    fill(int(sys.argv[1]))
    sys.stdout.write(json.dumps({"cookie": cookie, "cursor": cursor_at(50 * 999 - 1)}) + "\n")


def cursor_at(depth: int) -> str:
    """The cursor of the page that begins behind the run at that depth."""
    from observability.jobs.models import JobRun

    edges = JobRun.objects.order_by("-created_at", "-id").values_list("created_at", "id")
    created_at, pk = edges[min(depth, JobRun.objects.count() - 60)]
    plain = json.dumps([0, created_at.isoformat(), pk], separators=(",", ":"))
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def fill(count: int) -> None:
    """So many runs with EVENTS events each, indexes built afterwards."""
    from django.db import connection

    tenants, targets = _cast()
    begun = time.perf_counter()
    if connection.vendor == "postgresql":
        with _without_indexes():
            for rows in _chunks(count, tenants, targets):
                _copy("jobs_jobrun", RUN_COLUMNS, rows)
                _copy("jobs_jobevent", EVENT_COLUMNS, (e for row in rows for e in _events(row)))
    else:
        with _without_triggers():
            for rows in _chunks(count, tenants, targets):
                _insert("jobs_jobrun", RUN_COLUMNS, rows)
                _insert("jobs_jobevent", EVENT_COLUMNS, (e for row in rows for e in _events(row)))
    progress(f"{count:,} runs loaded in {time.perf_counter() - begun:.0f} s")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval('jobs_jobrun_id_seq', %s)", [count])
            cursor.execute("VACUUM ANALYZE")
        else:
            cursor.execute("ANALYZE")


def runs(count: int, tenants: list[Any], targets: list[Any]) -> Iterator[Row]:
    """Rows of RUN_COLUMNS, oldest first, as ingest would have written them."""
    from observability.jobs.rules.search_words import search_words

    random = Random(4)
    now = datetime.now(UTC)
    step = timedelta(days=DAYS) / count
    weights = [1 / (number + 1) for number in range(len(tenants))]
    whose = iter(random.choices(tenants, weights, k=count))
    statuses = iter(random.choices(*zip(*STATUSES, strict=True), k=count))
    for number in range(1, count + 1):
        created = now - timedelta(days=DAYS) + step * (number - random.random())
        tenant = next(whose) if random.random() < 0.97 else (None, "")
        target, engine = random.choice(targets)
        status = next(statuses)
        kind = _type(number, count, random)
        name = f"{kind.lower()}-{tenant[1] or 'x'}-{random.randrange(16**8):08x}"
        run = f"{random.randrange(16**12):012x}-{number}"
        worker = f"{random.randrange(400)}@pool-{engine}-{random.randrange(400)}"
        is_open = status in {"running", "waiting", "paused"}
        took = None if is_open else int(10 ** random.uniform(2, 6.2))
        closed = None if took is None else created + timedelta(milliseconds=took)
        failure, why = ("", "")
        if status in {"failed", "timed_out", "lost"}:
            text, why, _ = random.choices(FAILURES, [row[2] for row in FAILURES])[0]
            failure = text.format(n=random.randrange(400), t=tenant[1])
        place = tenant[1] or "default"
        yield (
            number, engine, target, name, run, place, f"{engine}/{place}/{name}/{run}", tenant[0],
            "declared" if tenant[0] else "unattributed", kind, f"queue-{place}", "", status,
            created, created, closed, took, random.choice((1, 1, 1, 2, 4)), failure, why,
            "scheduler", worker, "build-42", "", '{"region": "eu", "cost": "7"}',
            search_words(kind, name, run, worker, failure), str(number), False, EVENTS, 0, "",
            EVENTS,
            "none" if is_open else "stored", "", "", "", created, closed or created,
        )  # fmt: skip


def _type(number: int, count: int, random: Random) -> str:
    if number % 100_000 == 77:
        return RARE
    if number < count * 2 / DAYS and random.random() < DAYS / 100:
        return OLD
    return random.choice(TYPES)


def _events(run: Row) -> Iterator[Row]:
    pk, begun, detail = run[0], run[13], '{"input": "…", "size": 512}'
    for seq, kind in enumerate(KINDS, 1):
        title = kind.replace("_", " ")
        at = begun + timedelta(seconds=seq)
        yield (pk, seq, str(seq), at, kind, title, "1", "charge-card", 1, "worker", "", detail)


def _chunks(count: int, tenants: list[Any], targets: list[Any]) -> Iterator[list[Row]]:
    rows = runs(count, tenants, targets)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _cast() -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    from tenants.models import Target, Tenant
    from tests.bench.sample_rows import target

    Tenant.objects.bulk_create(
        [Tenant(slug=f"tenant-{number:03d}", name=f"Tenant {number}") for number in range(TENANTS)]
    )
    made = [target(slug, kind) for slug, kind in TARGETS]
    assert len(made) == Target.objects.count()
    return (
        list(Tenant.objects.order_by("pk").values_list("pk", "slug")),
        [(row.pk, row.kind) for row in made],
    )


def _copy(table: str, columns: tuple[str, ...], rows: Any) -> None:
    from django.db import connection

    names = ", ".join(columns)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _insert(table: str, columns: tuple[str, ...], rows: Any) -> None:
    from django.db import connection, transaction

    marks = ", ".join(["?"] * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - ours
    plain = (
        [value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value
         for value in row]
        for row in rows
    )  # fmt: skip
    connection.ensure_connection()
    with transaction.atomic():
        connection.connection.executemany(statement, plain)


@contextmanager
def _without_indexes() -> Iterator[None]:
    """PostgreSQL: building them once is several times faster than keeping them meanwhile."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname"
            " NOT IN (SELECT conname FROM pg_constraint)",
            [["jobs_jobrun", "jobs_jobevent"]],
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute("SET maintenance_work_mem = '1GB'")
        yield
        for _, definition in indexes:
            cursor.execute(definition)


@contextmanager
def _without_triggers() -> Iterator[None]:
    """SQLite: the index of words is filled at the end, as its migration does."""
    import importlib

    from django.db import connection

    search = importlib.import_module("observability.jobs.migrations.0003_search")
    with connection.cursor() as cursor:
        for statement in search._SQLITE_UNDO[:3]:
            cursor.execute(statement)
        yield
        for statement in search._SQLITE:
            cursor.execute(statement)


if __name__ == "__main__":
    main()
