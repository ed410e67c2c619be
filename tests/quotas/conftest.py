"""The dataset of these tests: two plans, three tenants, two targets in memory."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from console.access.models import Role, User
from console.audit.services import Actor
from quotas.enforcement.adapters import registry
from quotas.plans.models import PlanVersion
from quotas.plans.services.plans import create_plan
from quotas.plans.services.subscriptions import subscribe
from tenants.models import Placement, Target, Tenant
from tenants.services import governance as tenants
from tests.quotas.changes.memory_adapter import MemoryAdapter
from tests.rest import Rest

LIMITS = {
    "requests.cpu": 40_000,
    "pods": 100,
    "container.default.cpu": 500,
    "container.defaultRequest.cpu": 100,
    "temporal.queue_rate": 20_000,
}


@pytest.fixture
def alice(db: None) -> Actor:
    """An admin."""
    return Actor.person(User.objects.create_user("alice", role=Role.ADMIN))


@pytest.fixture
def bob(db: None) -> Actor:
    """Another admin."""
    return Actor.person(User.objects.create_user("bob", role=Role.ADMIN))


@pytest.fixture
def plane(monkeypatch: pytest.MonkeyPatch) -> MemoryAdapter:
    """The adapter that every target of these tests has."""
    adapter = MemoryAdapter()
    monkeypatch.setattr(registry, "adapter_for", lambda _kind: adapter)
    return adapter


@pytest.fixture
def start() -> datetime:
    """When the intervals of the dataset began: an hour ago."""
    return timezone.now() - timedelta(hours=1)


@pytest.fixture
def standard(alice: Actor, start: datetime) -> PlanVersion:
    """Plan standard, version 1."""
    return create_plan(
        slug="standard", name="Standard", limits=LIMITS, actor=alice, reason="first plan", at=start
    )


@pytest.fixture
def gold(alice: Actor, start: datetime) -> PlanVersion:
    """Plan gold, version 1: more of everything."""
    limits = {**LIMITS, "requests.cpu": 80_000, "pods": 300}
    return create_plan(
        slug="gold", name="Gold", limits=limits, actor=alice, reason="second plan", at=start
    )


@pytest.fixture
def dataset(
    alice: Actor, standard: PlanVersion, plane: MemoryAdapter, start: datetime
) -> SimpleNamespace:
    """acme, initech and globex on plan standard; all on target lab, acme also on spare."""
    signature: dict[str, Any] = {"actor": alice, "reason": "set up"}
    targets = {
        slug: tenants.create_target(
            slug=slug, name=slug, kind="memory", kinds=["memory"], **signature
        )
        for slug in ("lab", "spare")
    }
    people = {
        slug: tenants.create_tenant(slug=slug, name=slug.title(), **signature)
        for slug in ("acme", "initech", "globex")
    }
    Tenant.objects.update(created_at=start)
    subscribe(tenants=people.values(), version=standard, at=start, **signature)
    placements: dict[str, Placement] = {}
    for slug, tenant in people.items():
        placements[slug] = tenants.place(
            tenant=tenant, target=targets["lab"], location=slug, **signature
        )
    placements["spare"] = tenants.place(
        tenant=people["acme"], target=targets["spare"], location="acme", **signature
    )
    return SimpleNamespace(targets=targets, placements=placements, **people)


@pytest.fixture
def served(dataset: SimpleNamespace) -> SimpleNamespace:
    """The dataset as the REST API shows it: its targets are of a kind that the product knows."""
    Target.objects.update(kind="kubernetes")
    return dataset


@pytest.fixture
def admin(db: None) -> Rest:
    """Somebody who may do everything."""
    return Rest(Role.ADMIN)


@pytest.fixture
def operator(db: None) -> Rest:
    """Somebody who keeps the service running."""
    return Rest(Role.OPERATOR)


@pytest.fixture
def viewer(db: None) -> Rest:
    """Somebody who looks."""
    return Rest(Role.VIEWER)
