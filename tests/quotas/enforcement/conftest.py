"""The plane in memory instead of the real adapters, and a broker that only remembers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone

from console import celery
from console.audit.services import Actor
from quotas.enforcement.adapters import registry
from quotas.enforcement.models import Rollout, RolloutItem
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.services.rollouts import create_rollout
from tenants.models import Placement
from tests.quotas.enforcement.fakes import FakePlane, make_target, make_tenants, make_version
from tests.quotas.enforcement.page_rows import lab, sign_in

__all__ = ["lab", "sign_in"]

ANN = Actor.command("ann")


@pytest.fixture
def plane(monkeypatch: pytest.MonkeyPatch) -> FakePlane:
    """Every kind of target is this plane."""
    fake = FakePlane()
    monkeypatch.setattr(registry, "adapter_for", lambda kind: fake)
    return fake


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """The tasks that would have been sent."""
    tasks: list[tuple[str, tuple[Any, ...]]] = []

    def remember(name: str, *args: Any, **kwargs: Any) -> bool:
        tasks.append((name.rpartition(".")[2], args))
        return True

    monkeypatch.setattr(celery, "enqueue", remember)
    monkeypatch.setattr("quotas.enforcement.tasks.enqueue", remember)
    return tasks


def order(placements: Sequence[Placement], **changed: Any) -> Rollout:
    """A rollout of these placements, as a change of a plan would make it."""
    values: dict[str, Any] = {"kind": "change", "title": "New limits", "reason": "load test"}
    return create_rollout(
        **(values | {"actor": ANN, "placements": placements, "at": timezone.now()} | changed)
    )


def one(plane: FakePlane, **limits: int | None) -> Placement:
    """One tenant whose limits are enforced already."""
    placement = make_tenants(make_target(), make_version(limits or {"pods": 10}), 1)[0]
    order([placement])
    process_queue(placement.target_id)
    plane.writes.clear()
    return placement


def item_of(rollout: Rollout) -> RolloutItem:
    return RolloutItem.objects.get(rollout=rollout)
