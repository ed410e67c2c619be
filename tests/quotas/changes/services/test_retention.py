"""Proposals that are settled, and drafts that nobody took up, go; what applying leaves is small."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone

from console.access.models import Role, User
from console.audit.services import Actor
from quotas.changes.kinds.adjustments import SetOverride
from quotas.changes.models import Proposal
from quotas.changes.services import proposals, retention
from tests.rest import Rest

NOW = timezone.now()


def ago(days: float) -> datetime:
    """So many days before now."""
    return NOW - timedelta(days=days)


def draft(actor: Actor, **fields: object) -> Proposal:
    """A proposal with its preview, and these fields."""
    change = SetOverride(("acme",), "requests.cpu", 60_000)
    proposal = proposals.propose(change=change, actor=actor).proposal
    Proposal.objects.filter(pk=proposal.pk).update(**fields)
    return proposal


@pytest.mark.parametrize(
    ("fields", "gone"),
    [
        ({"status": "applied", "created_at": ago(300), "applied_at": ago(181)}, True),
        ({"status": "applied", "created_at": ago(300), "applied_at": ago(179)}, False),
        ({"status": "discarded", "created_at": ago(181)}, True),
        ({"status": "discarded", "created_at": ago(179)}, False),
        ({"created_at": ago(900), "previewed_at": ago(900)}, False),
    ],
)
def test_settled_proposals_go_180_days_later(
    dataset: SimpleNamespace, alice: Actor, fields: dict[str, object], gone: bool
) -> None:
    draft(alice, **fields)
    assert retention.prune_proposals(NOW, math.inf) == int(gone)


@pytest.mark.parametrize(
    ("fields", "gone"),
    [
        ({"created_at": ago(60), "previewed_at": ago(31)}, True),
        ({"created_at": ago(60), "previewed_at": ago(29)}, False),
        ({"created_at": ago(31), "previewed_at": None}, True),
        ({"status": "applied", "created_at": ago(60), "applied_at": ago(60)}, False),
    ],
)
def test_drafts_go_30_days_after_their_last_preview(
    dataset: SimpleNamespace, alice: Actor, fields: dict[str, object], gone: bool
) -> None:
    draft(alice, **fields)
    assert retention.prune_drafts(NOW, math.inf) == int(gone)


def apply(actor: Actor) -> Proposal:
    """A proposal that was applied."""
    proposal = draft(actor)
    proposals.apply(
        proposal=proposal, fingerprint=proposal.fingerprint, reason="SALES-7", actor=actor
    )
    return Proposal.objects.get(pk=proposal.pk)


def test_applying_drops_the_lists_of_the_preview_and_keeps_its_answer(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    before = draft(alice).preview or {}
    after = apply(alice).preview or {}
    assert len(before["objects"]) == before["objects_total"] > 0
    assert before["base"]["tenants"]
    assert (after["objects"], after["base"]) == ([], {})
    for name in ("objects_total", "tenants", "limits", "over_limit", "warnings", "costs"):
        assert after[name] == before[name], name


def test_the_page_of_an_applied_change_says_where_its_objects_are(
    served: SimpleNamespace, alice: Actor
) -> None:
    proposal = apply(alice)
    client = Client()
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    page = " ".join(client.get(f"/changes/{proposal.pk}/").content.decode().split())
    assert "were listed here before it was applied" in page
    assert "requests.cpu" in page or "CPU" in page
    assert client.get(f"/changes/{proposal.pk}/yaml/").status_code == 200


def test_rest_still_tells_what_an_applied_change_was(
    served: SimpleNamespace, alice: Actor, viewer: Rest
) -> None:
    proposal = apply(alice)
    body = viewer.get(f"proposals/{proposal.pk}/").json()
    assert body["preview"]["objects"] == []
    assert body["preview"]["objects_total"] > 0
    assert viewer.get(f"proposals/{proposal.pk}/objects/").status_code == 200
