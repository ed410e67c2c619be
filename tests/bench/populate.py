"""A console with 10,000 tenants as it looks after months: `python -m tests.bench.populate`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import django

PLACES: Final = (("lab", "kubernetes"), ("jobs", "temporal"))
STORY: Final = 3
"""Entries in the ledger, and ended rollouts' items, of each tenant."""
CHUNK: Final = 1000


def main() -> None:
    """Migrates, fills the database that DATABASE_URL names, prints what a client needs."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from tests.bench.browser import session_of

    few: dict[str, int] = {}
    cookie = session_of()
    fill(int(sys.argv[1]), after_first=lambda: few.update(queries(cookie)))
    sys.stdout.write(json.dumps({"cookie": cookie, "few": few, "many": queries(cookie)}) + "\n")


def queries(cookie: str) -> dict[str, int]:
    """How many statements each page sends as things are now."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="127.0.0.1", HTTP_COOKIE=cookie)
    counts = {}
    for name, path in (("list", "/tenants/"), ("detail", "/tenants/tenant-00007/")):
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path)
        if answer.status_code != 200:
            raise AssertionError(f"{path}: {answer.status_code}")
        counts[name] = len(captured)
    return counts


def fill(count: int, *, after_first: Callable[[], None] = lambda: None) -> None:
    """So many tenants on three plans and two targets, with states, history and a few troubles;
    `after_first` is called when the first thousand are there."""
    from django.db import connection
    from django.utils import timezone

    from quotas.plans.models import Plan, PlanVersion
    from tests.bench import sample_rows

    now = timezone.now()
    standard = sample_rows.plan()
    versions = [standard]
    for slug in ("gold", "trial"):
        copied = Plan.objects.create(slug=slug, name=slug.title())
        version = PlanVersion.objects.create(
            plan=copied, number=1, policy=standard.policy, created_at=now
        )
        for limit in standard.limits.all():
            limit.pk = None
            limit.version = version
            limit.save(force_insert=True)
        versions.append(version)
    targets = [sample_rows.target(slug, kind) for slug, kind in PLACES]
    for start in range(0, count, CHUNK):
        _chunk(range(start, min(start + CHUNK, count)), versions, targets, now)
        if start == 0:
            after_first()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _chunk(numbers: range, versions: list[Any], targets: list[Any], now: datetime) -> None:
    from quotas.plans.models import Subscription
    from tenants.models import Placement, Tenant

    random = Random(numbers.start)
    tenants = Tenant.objects.bulk_create(
        [
            Tenant(
                slug=f"tenant-{number:05d}",
                name=f"Tenant {number:05d} Analytics",
                labels={"team": f"team-{number % 40}", "region": random.choice(("eu", "us"))},
                contact=f"owner-{number}@example.org",
            )
            for number in numbers
        ]
    )
    begun = now - timedelta(days=90)
    Tenant.objects.filter(pk__in=[tenant.pk for tenant in tenants]).update(created_at=begun)
    Subscription.objects.bulk_create(
        [
            Subscription(tenant=tenant, version=versions[tenant.pk % 3], starts_at=begun)
            for tenant in tenants
        ]
    )
    placements = Placement.objects.bulk_create(
        [
            Placement(
                tenant=tenant,
                target=target,
                location=tenant.slug if target.kind == "kubernetes" else "shared",
                sharing="dedicated" if target.kind == "kubernetes" else "shared",
                fairness_key="" if target.kind == "kubernetes" else tenant.slug,
            )
            for tenant in tenants
            for target in targets
        ]
    )
    _states(tenants, placements, now, random)
    _story(tenants, placements, now)


def _states(tenants: list[Any], placements: list[Any], now: datetime, random: Random) -> None:
    from quotas.enforcement.models import SEVERITY, Condition, PlacementState, TenantState

    states = {tenant.pk: _limits(random) for tenant in tenants}
    conditions = {tenant.pk: _condition(random) for tenant in tenants}
    PlacementState.objects.bulk_create(
        [
            PlacementState(
                placement=placement,
                condition=conditions[placement.tenant_id],
                since=now - timedelta(hours=random.randrange(1, 900)),
                observed_at=now,
                applied_digest="0" * 64,
                limits=dict(_kind(states[placement.tenant_id], placement.target.kind)),
                observed_generation=1,
            )
            for placement in placements
        ]
    )
    summaries = []
    for tenant in tenants:
        shares = _shares(states[tenant.pk])
        summaries.append(
            TenantState(
                tenant=tenant,
                condition=conditions[tenant.pk],
                severity=SEVERITY[conditions[tenant.pk]],
                since=now - timedelta(hours=random.randrange(1, 900)),
                message="" if conditions[tenant.pk] == Condition.SYNCED else "Changed by kubectl.",
                fullness=shares[0][0],
                tightest=[entry for _, entry in shares[:3]],
                observed_at=now,
            )
        )
    TenantState.objects.bulk_create(summaries)


def _condition(random: Random) -> str:
    return random.choices(("synced", "drifted", "conflict", "progressing"), (95, 3, 1, 1))[0]


def _limits(random: Random) -> dict[str, dict[str, Any]]:
    from tests.bench.sample_rows import LIMITS

    return {
        key: {
            "intended": value,
            "enforced": value,
            "used": int((value or 0) * random.betavariate(2, 3)),
            "recounted": None,
            "why": "",
            "source": "plan",
        }
        for key, value in LIMITS.items()
    }


def _kind(limits: dict[str, dict[str, Any]], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, row in limits.items():
        if key.startswith("temporal.") == (kind == "temporal"):
            yield key, row


def _shares(limits: dict[str, dict[str, Any]]) -> list[tuple[float, dict[str, Any]]]:
    counted = [key for key in limits if not key.startswith(("container.", "temporal."))]
    shares = [
        (
            limits[key]["used"] / limits[key]["enforced"],
            {
                "key": key,
                "target": "lab",
                **{name: limits[key][name] for name in ("used", "enforced", "intended")},
            },
        )
        for key in counted
    ]
    return sorted(shares, key=lambda pair: -pair[0])


def _story(tenants: list[Any], placements: list[Any], now: datetime) -> None:
    from console.audit import services as audit
    from quotas.enforcement.models import ItemState, Rollout, RolloutItem
    from tests.bench.sample_rows import BENCH

    audit.record_all(
        [
            audit.build(
                actor=BENCH,
                action="subscription.start",
                object_type="tenant",
                object_id=tenant.pk,
                object_label=tenant.slug,
                tenant=tenant.slug,
                before={"plan": "trial", "version": 1},
                after={"plan": "standard", "version": number},
                reason="Filled for a bench",
                at=now - timedelta(days=number),
            )
            for tenant in tenants
            for number in range(1, STORY + 1)
        ]
    )
    rollout = Rollout.objects.create(
        kind="change", title="New limits", actor="bench", total=len(placements), finished_at=now
    )
    RolloutItem.objects.bulk_create(
        [
            RolloutItem(
                rollout=rollout,
                placement=placement,
                tenant_id=placement.tenant_id,
                target_id=placement.target_id,
                generation=1,
                state=ItemState.DONE,
                finished_at=now,
            )
            for placement in placements
        ]
    )


if __name__ == "__main__":
    main()
