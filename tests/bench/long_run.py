"""One run with many events, for the bench of its page. `python -m tests.bench.long_run EVENTS`
migrates and fills the database that DATABASE_URL names and prints what a client needs.

The run has ended: activities by turns, some of which failed, with payloads as activities have them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import django
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from observability.engines.contracts import EventKind, RunEvent, Status

DETAIL: Final = {"input": [{"order": 4711, "note": "x" * 200}], "task_queue": "invoices"}


def story(count: int, begun: datetime) -> Iterator[RunEvent]:
    """So many events of one run."""
    for seq in range(1, count + 1):
        number, phase = divmod(seq - 2, 3)
        at = begun + timedelta(seconds=seq)
        step = f"activity-{number}"
        if seq in {1, count}:
            kind, title = (
                (EventKind.CREATED, "InvoiceFlow was started")
                if seq == 1
                else (EventKind.SUCCEEDED, "Completed")
            )
            yield RunEvent(str(seq), seq, at, kind, title, detail=DETAIL)
            continue
        failed = number % 20 == 7
        kind, title = (
            (EventKind.SCHEDULED, "Scheduled charge"),
            (EventKind.ATTEMPT_STARTED, "Attempt 1 of charge started"),
            (EventKind.ATTEMPT_FAILED, "Attempt 1 of charge failed")
            if failed
            else (EventKind.STEP_COMPLETED, "charge completed"),
        )[phase]
        yield RunEvent(
            str(seq), seq, at, kind, title, step, "charge", int(phase > 0), "worker-7",
            "PaymentDown: 503 Service Unavailable" if failed and phase == 2 else "", DETAIL,
        )  # fmt: skip


def fill(count: int) -> None:
    """The run with its events; prints its id and a session's cookie."""
    from observability.ingest.context import masker
    from observability.ingest.event_rows import event_rows
    from observability.ingest.writes import insert_events
    from observability.jobs.models import JobRun
    from tenants.services.governance import create_tenant
    from tests.bench import sample_rows
    from tests.bench.browser import session_of

    tenant = create_tenant(slug="acme", name="Acme", actor=sample_rows.BENCH, reason="bench")
    target = sample_rows.target("temporal-eu", "temporal", options={"namespace": "default"})
    ended = timezone.now() - timedelta(hours=1)
    begun = ended - timedelta(seconds=count + 1)
    run = JobRun.objects.create(
        engine="temporal", target=target, external_id="invoice-1", run_id="run-1", tenant=tenant,
        attribution="declared", location="default", key="temporal/default/invoice-1/run-1",
        type="InvoiceFlow", queue="invoices", status=Status.SUCCEEDED, created_at=begun,
        began_at=begun, closed_at=ended, duration_ms=(count + 1) * 1000, attempts=2,
        worker="worker-7", revision="completed:1:1", event_count=count, updated_at=ended,
        search="invoice",
    )  # fmt: skip
    insert_events(
        list(event_rows(run.pk, story(count, begun), masker(tuple(settings.MASK_PATTERNS))))
    )
    if run.events.count() != count:
        raise AssertionError(f"{run.events.count()} of {count} events are there")
    sys.stdout.write(json.dumps({"cookie": session_of(), "run": run.pk}) + "\n")


if __name__ == "__main__":
    django.setup()
    call_command("migrate", verbosity=0)
    fill(int(sys.argv[1]))
