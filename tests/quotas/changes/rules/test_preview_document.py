"""What a proposal stores of its preview is the whole of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from console.audit.services import Actor
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.models import Proposal
from quotas.changes.rules.preview_document import preview_from
from quotas.changes.services.proposals import propose
from tests.quotas.changes.memory_adapter import MemoryAdapter

pytestmark = pytest.mark.django_db


def test_a_stored_preview_is_read_back_as_it_was(
    dataset: SimpleNamespace, alice: Actor, plane: MemoryAdapter
) -> None:
    plane.memory.objects["lab", "acme"] = {"hard[requests.cpu]": 1}
    less = {"requests.cpu": 30_000, "pods": 1}
    draft, preview = propose(change=PublishPlan("standard", 1, less), actor=alice)
    assert preview is not None
    assert preview.limits
    assert preview.costs
    assert preview.objects
    assert preview_from(Proposal.objects.get(pk=draft.pk).preview) == preview


def test_a_preview_that_is_being_computed_is_none() -> None:
    assert preview_from(None) is None
