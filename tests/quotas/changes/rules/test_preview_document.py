"""What a proposal stores of its preview is the whole of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from console.audit.services import Actor
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.models import Proposal
from quotas.changes.rules.preview_document import preview_from, preview_json
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
    stored = Proposal.objects.get(pk=draft.pk).preview
    again = preview_from(stored)
    assert again is not None
    assert preview_json(again) == stored
    for_people = [
        replace(item, change=replace(item.change, desired=None, stage=0, uid=""))
        for item in preview.objects
    ]
    assert again == replace(preview, objects=tuple(for_people))


def test_a_preview_that_is_being_computed_is_none() -> None:
    assert preview_from(None) is None
