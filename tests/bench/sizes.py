"""Bytes a row, indexes included, of every table that grows: `python -m tests.bench.sizes` fills the
database that DATABASE_URL names (SQLite or PostgreSQL) and prints them. From these
docs/operations.md says how large each table gets."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final

import django

TENANTS: Final = 300
ROWS: Final = 1500
CHANGES: Final = 4
"""Objects that a rollout's item writes: a new version of a plan concerns about so many."""
OBJECTS: Final = 300
"""Objects in the preview of a draft."""


def main() -> None:
    """Fills, measures, prints."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from tests.bench import populate, trail

    trail.fill(ROWS)  # first: it wants no targets but its own
    populate.fill(TENANTS)
    for fill in (_rollouts, _proposals, _findings, _actions, _limits, _people):
        fill()
    lines = sorted(
        (name, rows, round(size / rows))
        for name, rows, size in _measured()
        if rows >= TENANTS  # below that the pages of the file are mostly empty
    )
    for name, rows, size in lines:
        sys.stdout.write(f"{name:28} {rows:>8,} rows {size:>8,} bytes a row\n")


def _measured() -> Iterable[tuple[str, int, int]]:
    from django.apps import apps
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("VACUUM")
        for model in apps.get_models():
            table = model._meta.db_table
            rows = model._base_manager.count()
            if rows == 0:
                continue
            if connection.vendor == "sqlite":
                cursor.execute(
                    "SELECT SUM(pgsize) FROM dbstat WHERE name IN "
                    "(SELECT name FROM sqlite_schema WHERE tbl_name = %s)",
                    [table],
                )
            else:
                cursor.execute("SELECT pg_total_relation_size(%s)", [table])
            yield table, rows, int(cursor.fetchone()[0])


def _change(number: int) -> dict[str, Any]:
    """One object as items and previews keep it."""
    fields = [
        {"path": f"spec.hard[{key}]", "before": number, "after": number + 1}
        for key in ("requests.cpu", "requests.memory", "pods")
    ]
    return {
        "operation": "update",
        "kind": "ResourceQuota",
        "namespace": f"tenant-{number:05d}",
        "name": "headroom",
        "part": "",
        "fields": fields,
        "owners": {},
        "absent": False,
    }


def _rollouts() -> None:
    from quotas.enforcement.models import Rollout, RolloutItem
    from tenants.models import Placement

    places = list(Placement.objects.all())
    for number in range(ROWS // len(places) + 1):
        rollout = Rollout.objects.create(
            kind="change",
            title=f"Publish standard v{number}",
            reason="SALES-204",
            actor="ann",
            total=len(places),
        )
        RolloutItem.objects.bulk_create(
            [
                RolloutItem(
                    rollout=rollout,
                    placement=place,
                    tenant_id=place.tenant_id,
                    target_id=place.target_id,
                    generation=number,
                    state="done",
                    changes=[_change(part) for part in range(CHANGES)],
                )
                for place in places
            ]
        )
    _many(
        Rollout,
        lambda number: {"kind": "due", "title": f"Limits that changed by time: {number} placement",
                        "reason": "A lease, an override or a subscription started or ended.",
                        "actor": "clock"},
    )  # fmt: skip


def _proposals() -> None:
    """Settled ones, as applying leaves them; drafts are measured by their preview alone."""
    from quotas.changes.models import Proposal

    answer = {
        "title": "Publish standard v2",
        "limits": [_change(n) for n in range(6)],
        "objects": [],
    }
    _many(
        Proposal,
        lambda number: {
            "kind": "PublishPlan",
            "payload": {"plan": "standard", "limits": {f"limit-{n}": "40" for n in range(13)}},
            "title": f"Publish standard v{number}",
            "status": "applied",
            "author_name": "ann",
            "fingerprint": "0" * 64,
            "preview": answer,
            "reason": "SALES-204",
        },
    )
    draft = len(str({**answer, "objects": [_change(n) for n in range(OBJECTS)]}))
    sys.stdout.write(f"{'a draft’s preview':28} {draft // OBJECTS:>8,} bytes for each object\n")


def _findings() -> None:
    from django.utils import timezone

    from observability.jobs.models import IngestGap
    from quotas.enforcement.models import Drift, TargetSample
    from tenants.models import Placement, Target

    now = timezone.now()
    places = list(Placement.objects.all()[:TENANTS])
    target = Target.objects.earliest("pk")

    def drift(number: int) -> dict[str, Any]:
        place = places[number % len(places)]
        owner = {"placement": place, "tenant_id": place.tenant_id, "target_id": place.target_id}
        return {**owner, "found_at": now, "ended_at": now, "outcome": "healed",
                "owner": "kubectl-edit", "changes": [_change(number)]}  # fmt: skip

    _many(Drift, drift)
    _many(TargetSample, lambda number: {"target": target, "at": now, "latency_ms": 1.5 + number})
    _many(
        IngestGap,
        lambda number: {"target": target, "starts_at": now + timedelta(seconds=number),
                        "ends_at": now, "cause": "Nobody listened to the events of this time."},
    )  # fmt: skip


def _actions() -> None:
    from django.utils import timezone

    from observability.actions.models import Action, ActionItem
    from observability.jobs.models import JobRun
    from observability.replays.models import Replay, ReplayResult, WorkflowBundle

    now = timezone.now()
    runs = list(JobRun.objects.all()[:ROWS])
    _many(
        Action,
        lambda number: {
            "label": runs[number].external_id, "run": runs[number], "target": runs[number].target,
            "engine": "temporal", "verb": "terminate", "reason": "INC-2", "actor_kind": "person",
            "actor": "ann", "status": "done", "message": "Terminated.", "created_at": now,
        },
    )  # fmt: skip
    batch = Action.objects.latest("pk")
    _many(
        ActionItem,
        lambda number: {"action": batch, "run": runs[number], "label": runs[number].external_id,
                        "tenant": "tenant-00001", "status": "done", "message": "Terminated."},
    )  # fmt: skip
    bundle = WorkflowBundle.objects.create(
        name="flows", version="1", isolated=True, created_at=now, reason="bench"
    )
    replay = Replay.objects.create(
        bundle=bundle, selection="x", total=ROWS, actor="ann", created_at=now
    )
    _many(
        ReplayResult,
        lambda number: {"replay": replay, "run": runs[number], "verdict": "deterministic"},
    )


def _limits() -> None:
    from django.utils import timezone

    from quotas.plans.models import Lease, PlanVersion, Subscription
    from tenants.models import Tenant

    now = timezone.now()
    tenants = list(Tenant.objects.all())
    version = PlanVersion.objects.earliest("pk")
    _many(
        Lease,
        lambda number: {"tenant": tenants[number % TENANTS], "key": "requests.cpu", "value": 60_000,
                        "reason": "SALES-204", "author": "ann", "starts_at": now,
                        "ends_at": now + timedelta(hours=4)},
    )  # fmt: skip
    _many(
        Subscription,
        lambda number: {"tenant": tenants[number % TENANTS], "version": version,
                        "starts_at": now + timedelta(seconds=number),
                        "ends_at": now + timedelta(seconds=number + 1)},
    )  # fmt: skip


def _people() -> None:
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    from console.access.models import IdempotencyKey, User

    now, ann = timezone.now(), User.objects.create_user("sizes")
    _many(
        Session,
        lambda number: {"session_key": f"{number:032}", "session_data": "x" * 230,
                        "expire_date": now},
    )  # fmt: skip
    _many(
        IdempotencyKey,
        lambda number: {"user": ann, "key": f"{number:036}", "digest": "0" * 64, "status": 202,
                        "body": b"x" * 300, "created_at": now},
    )  # fmt: skip


def _many(model: Any, values: Callable[[int], dict[str, Any]]) -> None:
    rows = [model(**values(number)) for number in range(ROWS)]
    model.objects.bulk_create(rows, batch_size=200)


if __name__ == "__main__":
    main()
