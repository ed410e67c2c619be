"""What the tests of pages share: people signed in, and tenants as a sweep left them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.access.models import User
from quotas.enforcement.models import (
    Condition,
    PlacementState,
    TargetState,
    TenantState,
)
from tenants.models import Placement, Target, Tenant

SignIn = Callable[[str], Client]


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """A browser signed in as somebody with the role."""

    def signed_in(role: str) -> Client:
        name = role or "charlie"
        user = User.objects.filter(username=name).first()
        client = Client()
        client.force_login(user or User.objects.create_user(name, role=role))
        return client

    return signed_in


def tenant(slug: str, target: Target, **state: Any) -> Placement:
    """A tenant with one placement, as a sweep would have left it."""
    row = Tenant.objects.create(slug=slug, name=slug.title())
    placed = Placement.objects.create(tenant=row, target=target, location=slug)
    limits = {"pods": {"intended": 10, "enforced": 10, "used": 4, "source": "plan"}}
    condition = state.get("condition", Condition.SYNCED)
    PlacementState.objects.create(
        placement=placed,
        condition=condition,
        limits=limits,
        observed_at=timezone.now(),
        since=timezone.now(),
        message=state.get("message", ""),
        owners=state.get("owners", {}),
    )
    TenantState.objects.create(
        tenant=row,
        condition=condition,
        fullness=state.get("fullness", 0.4),
        tightest=[
            {"key": "pods", "target": target.slug, "used": 4, "enforced": 10, "intended": 10}
        ],
    )
    return placed


@pytest.fixture
def lab(db: None) -> Target:
    """A target that answers."""
    target = Target.objects.create(slug="lab", name="Lab", kind="kubernetes")
    TargetState.objects.create(target=target, condition=Condition.SYNCED, latency_ms=12.0)
    return target
