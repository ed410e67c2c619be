"""Previews of many tenants: cost, and who computes them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console import celery
from console.audit.services import Actor
from console.errors import DomainError
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.models import Proposal
from quotas.changes.services import proposals
from quotas.changes.tasks import compute_preview
from quotas.plans.models import PlanVersion
from quotas.plans.services.subscriptions import subscribe
from tenants.models import Placement, Tenant
from tests.quotas.changes.apply_change import carry_out, propose
from tests.quotas.conftest import LIMITS

PUBLISH = PublishPlan("standard", 1, {**LIMITS, "requests.cpu": 30_000})


def crowd(dataset: SimpleNamespace, version: PlanVersion, actor: Actor, number: int) -> None:
    """So many more tenants on the plan, each on both targets."""
    made = Tenant.objects.bulk_create(Tenant(slug=f"t{n}", name="T") for n in range(number))
    subscribe(tenants=made, version=version, actor=actor, reason="set up")
    Placement.objects.bulk_create(
        Placement(tenant=tenant, target=target, location=tenant.slug)
        for tenant in made
        for target in dataset.targets.values()
    )


def test_queries_do_not_grow_with_tenants(
    dataset: SimpleNamespace, standard: PlanVersion, alice: Actor
) -> None:
    with CaptureQueriesContext(connection) as few:
        propose(PUBLISH, alice)
    crowd(dataset, standard, alice, 150)
    with CaptureQueriesContext(connection) as many:
        _, preview = propose(PUBLISH, alice)
    assert (preview.tenants, preview.placements) == (153, 304)
    assert len(many) <= len(few)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What was enqueued; the broker takes everything."""
    tasks: list[tuple[object, ...]] = []

    def enqueue(*words: object) -> bool:
        tasks.append(words)
        return True

    monkeypatch.setattr(celery, "enqueue", enqueue)
    return tasks


def test_a_large_preview_is_computed_by_a_worker(
    dataset: SimpleNamespace, standard: PlanVersion, alice: Actor, sent: list[tuple[object, ...]]
) -> None:
    crowd(dataset, standard, alice, proposals.LARGE)
    draft, preview = proposals.propose(change=PUBLISH, actor=alice)
    assert preview is None
    assert draft.progress == "Waiting for a worker"
    assert proposals.request_preview(proposal=draft) is None
    assert sent == [(proposals.PREVIEW_TASK, draft.pk)] * 2
    compute_preview(draft.pk)
    draft.refresh_from_db()
    assert draft.preview is not None
    assert (draft.progress, draft.preview["tenants"]) == ("", proposals.LARGE + 3)


def test_without_a_broker_a_large_preview_is_computed_at_once(
    dataset: SimpleNamespace,
    standard: PlanVersion,
    alice: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(celery, "enqueue", lambda *_: False)
    crowd(dataset, standard, alice, proposals.LARGE)
    draft, preview = proposals.propose(change=PUBLISH, actor=alice)
    assert preview is not None
    draft.refresh_from_db()
    assert (draft.progress, draft.fingerprint) == ("", preview.fingerprint)
    assert proposals.request_preview(proposal=draft) is not None


def test_why_a_preview_is_not_possible_is_on_the_row(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    draft, _ = proposals.propose(change=PUBLISH, actor=alice)
    carry_out(PUBLISH, alice)
    compute_preview(draft.pk)
    draft.refresh_from_db()
    assert draft.progress.startswith("Not possible: You edited version 1 of standard")
    compute_preview(draft.pk + 1000)  # a draft that is not there any more is nobody's loss


def test_an_applied_change_is_not_previewed_again(dataset: SimpleNamespace, alice: Actor) -> None:
    carry_out(PUBLISH, alice)
    with pytest.raises(DomainError, match="applied already"):
        proposals.update_preview(proposal=Proposal.objects.get(), now=timezone.now())


def test_what_is_not_shown_is_counted(
    dataset: SimpleNamespace, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotas.changes.services.preview.MOST_OBJECTS", 1)
    _, preview = propose(PUBLISH, alice)
    assert (len(preview.objects), preview.objects_total) == (1, 4)
