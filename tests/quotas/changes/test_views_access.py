"""Who may open which page of changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from console.access.contracts import Permission
from console.access.models import Role
from console.audit.models import Entry, Outcome
from console.audit.services import Actor
from quotas.changes.kinds.lifecycle import Suspend
from quotas.changes.kinds.plans import MovePlan
from quotas.changes.kinds.registry import KINDS
from quotas.changes.models import Proposal
from quotas.changes.urls import urlpatterns
from quotas.enforcement.models import Rollout
from quotas.plans.models import PlanVersion
from quotas.plans.services import adjustments
from tenants.services.governance import add_member
from tests.quotas.changes.apply_change import propose
from tests.quotas.changes.page_client import browser

NAMES = sorted(str(pattern.name) for pattern in urlpatterns)
READING = {"proposal", "proposal_objects", "proposal_yaml", "proposals"}
OPERATING = {
    "bulk", "limits", "suspend", "resume", "repair", "take_over", "drift_policy", "end_lease",
    "proposal_apply", "proposal_discard", "proposal_refresh",
}  # fmt: skip
POSTED = {
    "bulk", "member_add", "member_remove", "proposal_apply", "proposal_discard", "proposal_refresh",
}  # fmt: skip


@pytest.fixture
def paths(dataset: SimpleNamespace, alice: Actor) -> dict[str, str]:
    """A path that exists for every page."""
    signature: dict[str, Any] = {"actor": alice, "reason": "set up"}
    draft, _ = propose(Suspend(("acme",)), alice)
    until = timezone.now() + timedelta(hours=1)
    (lease,) = adjustments.grant_lease(
        tenants=[dataset.acme], key="pods", value=150, until=until, **signature
    )
    (override,) = adjustments.set_override(
        tenants=[dataset.acme], key="pods", value=120, **signature
    )
    member = add_member(tenant=dataset.acme, user=alice.user, **signature)  # type: ignore[arg-type]  # a person
    place = dataset.placements["acme"].pk
    pks: dict[str, object] = {
        "leases/": lease.pk, "overrides/": override.pk, "placements/": place,
        "changes/": draft.pk, "tenants/": member.pk,
    }  # fmt: skip
    slugs = {"tenants/": "acme", "targets/": "lab", "plans/": "standard"}
    paths = {}
    for pattern in urlpatterns:
        route = str(pattern.pattern)
        folder = route[: route.index("/") + 1]
        arguments: dict[str, object] = {}
        if "<slug:" in route:
            arguments["slug"] = slugs[folder]
        if "<int:" in route:
            arguments["pk"] = pks[folder]
        paths[str(pattern.name)] = reverse(f"changes:{pattern.name}", kwargs=arguments)
    return paths


@contextmanager
def rolled_back() -> Iterator[None]:
    """What one page does is not there for the next."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_an_outsider_is_refused_on_every_page(paths: dict[str, str]) -> None:
    outsider = browser(Role.NOBODY)
    for name, path in paths.items():
        assert outsider.get(path).status_code == 403, name
        assert outsider.post(path).status_code == 403, name
        stranger = Client().get(path)
        assert stranger.status_code == 302, name
        assert "/access/sign-in/" in stranger["Location"], name


def test_a_viewer_may_only_read_previews(paths: dict[str, str]) -> None:
    viewer = browser(Role.VIEWER)
    for name, path in paths.items():
        response = viewer.post(path) if name in POSTED else viewer.get(path)
        assert response.status_code == (200 if name in READING else 403), name


def test_an_operator_may_not_change_what_was_agreed(paths: dict[str, str]) -> None:
    operator = browser(Role.OPERATOR)
    for name, path in paths.items():
        with rolled_back():
            response = operator.post(path) if name in POSTED else operator.get(path)
        allowed = name in READING | OPERATING
        assert (response.status_code != 403) is allowed, name


def test_an_admin_opens_every_page_without_writing_anything(paths: dict[str, str]) -> None:
    admin, before = browser(), (Entry.objects.count(), Proposal.objects.count())
    for name in sorted(set(NAMES) - POSTED):
        assert admin.get(paths[name]).status_code == 200, name
        assert (Entry.objects.count(), Proposal.objects.count()) == before, name


def test_an_operator_may_not_apply_what_an_admin_proposed(
    dataset: SimpleNamespace, alice: Actor, gold: PlanVersion
) -> None:
    draft, preview = propose(MovePlan(("acme",), "gold"), alice)
    operator = browser(Role.OPERATOR)
    page = operator.get(reverse("changes:proposal", args=[draft.pk]))
    assert b"Applying it needs" in page.content
    path = reverse("changes:proposal_apply", args=[draft.pk])
    refused = operator.post(path, {"fingerprint": preview.fingerprint, "reason": "because"})
    assert refused.status_code == 403
    assert operator.post(reverse("changes:proposal_discard", args=[draft.pk])).status_code == 403
    assert Rollout.objects.count() == 0
    assert Entry.objects.filter(outcome=Outcome.REFUSED, action="access.refused").count() == 2


def test_an_operator_may_lease_but_not_override(dataset: SimpleNamespace) -> None:
    operator = browser(Role.OPERATOR)
    path = reverse("changes:limits", args=["acme"])
    assert b"Override" not in operator.get(path).content
    form = {"key": "pods", "value": "150", "span": "4"}
    assert operator.post(path, {**form, "how": "override"}).status_code == 403
    assert operator.post(path, {**form, "how": "lease"}).status_code == 302


def test_an_operator_may_not_move_many(dataset: SimpleNamespace) -> None:
    form = {"action": "move_plan", "tenants": ["acme"]}
    assert browser(Role.OPERATOR).post(reverse("changes:bulk"), form).status_code == 403


def test_every_kind_of_change_has_somebody_who_may_make_it() -> None:
    for_operators = {name for name, kind in KINDS.items() if kind.permission == Permission.OPERATE}
    assert for_operators == {"GrantLease", "EndLease", "Suspend", "Resume", "Repair", "TakeOver"}
    assert {kind.permission for kind in KINDS.values()} == {
        Permission.OPERATE, Permission.ADMINISTER,
    }  # fmt: skip
