"""What a change costs on its way: its rows are resolved once, a number is read once, and the planes
are looked at once for each preview."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from console.audit.services import Actor
from console.errors import DomainError
from quotas.changes.kinds.adjustments import SetOverride
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.models import Proposal, ProposalStatus
from quotas.changes.rules.policy import policy_changes
from quotas.changes.services import proposals
from quotas.changes.services.preview import compute_preview
from quotas.enforcement.models import Rollout
from quotas.plans.limits import format_limit, parse_limit
from quotas.plans.models import PlanVersion
from tests.quotas.changes.apply_change import carry_out
from tests.quotas.changes.counted_calls import counted
from tests.quotas.changes.memory_adapter import MemoryAdapter
from tests.quotas.changes.page_client import browser, field_value
from tests.quotas.changes.views.test_plans import EDIT, POLICY, rows
from tests.rest import Rest

LIMITS = {
    "requests.cpu": "30", "pods": "100", "container.default.cpu": "500m",
    "container.defaultRequest.cpu": "100m", "temporal.queue_rate": "20/s",
}  # fmt: skip
EDITED = {**rows(*LIMITS.items()), **POLICY, "base_version": "1"}


@pytest.fixture
def scopes(monkeypatch: pytest.MonkeyPatch) -> list[PublishPlan]:
    """The changes of plans whose rows were resolved."""
    resolved: list[PublishPlan] = []
    real = PublishPlan.scope

    def scope(self: PublishPlan, *args: Any) -> Any:
        resolved.append(self)
        return real(self, *args)

    monkeypatch.setattr(PublishPlan, "scope", scope)
    return resolved


def test_a_preview_resolves_its_rows_once_and_reads_each_number_once(
    dataset: SimpleNamespace, plane: MemoryAdapter, scopes: list[PublishPlan]
) -> None:
    admin = browser()
    with counted(read=parse_limit, written=format_limit) as calls:
        proposed = admin.post(EDIT, EDITED)
    assert proposed.status_code == 302
    assert len(scopes) == 1
    assert (calls["read"], calls["written"]) == (len(LIMITS), 0)
    assert plane.observations == 2  # two targets


def test_applying_resolves_them_for_the_look_and_once_more_under_the_locks(
    dataset: SimpleNamespace, plane: MemoryAdapter, scopes: list[PublishPlan]
) -> None:
    admin = browser()
    page = admin.get(admin.post(EDIT, EDITED)["Location"])
    scopes.clear()
    plane.observations = 0
    form = {"fingerprint": field_value(page, "fingerprint"), "reason": "because"}
    with counted(read=parse_limit) as calls:
        done = admin.post(f"/changes/{Proposal.objects.get().pk}/apply/", form)
    assert done.status_code == 302
    assert (len(scopes), plane.observations, calls["read"]) == (2, 2, 0)


def test_rest_looks_at_the_planes_once_for_a_change(
    served: SimpleNamespace, plane: MemoryAdapter, admin: Rest, scopes: list[PublishPlan]
) -> None:
    body = {"base_version": 1, "limits": LIMITS, "reason": "because"}
    with counted(read=parse_limit) as calls:
        assert admin.post("plans/standard/versions/", body).status_code == 202
    assert plane.observations == 2  # two targets
    assert len(scopes) == 2  # and once under the locks
    assert calls["read"] == len(LIMITS)


def test_rest_reads_a_policy_once(
    served: SimpleNamespace, plane: MemoryAdapter, admin: Rest
) -> None:
    policy = {"tenant_role": "view", "network_exceptions": []}
    body = {"base_version": 1, "limits": LIMITS, "policy": policy, "reason": "because"}
    with counted(read=policy_changes) as calls:
        assert admin.post("plans/standard/versions/", body).status_code == 202
    assert calls["read"] == 1
    stored = PlanVersion.objects.get(number=2).policy
    assert (stored["tenant_role"], stored["pod_security"]) == ("view", "baseline")


def test_a_change_at_once_is_refused_when_rows_changed_after_its_preview(
    dataset: SimpleNamespace, alice: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*args: Any, **kwargs: Any) -> Any:
        made = compute_preview(*args, **kwargs)
        monkeypatch.setattr(proposals, "compute_preview", compute_preview)
        carry_out(SetOverride(("acme",), "requests.cpu", 1000), bob)
        return made

    monkeypatch.setattr(proposals, "compute_preview", slow)
    with pytest.raises(DomainError) as refused:
        proposals.apply_at_once(
            change=SetOverride(("acme",), "pods", 7), reason="slower", actor=alice
        )
    assert (refused.value.code, refused.value.status) == ("stale_preview", 409)
    assert Rollout.objects.count() == 1
    assert set(Proposal.objects.values_list("status", flat=True)) == {
        ProposalStatus.APPLIED, ProposalStatus.DISCARDED,
    }  # fmt: skip


def test_what_cannot_be_made_leaves_no_draft(dataset: SimpleNamespace, alice: Actor) -> None:
    with pytest.raises(DomainError, match="there is no such tenant"):
        proposals.propose(change=SetOverride(("nobody",), "pods", 7), actor=alice)
    assert not Proposal.objects.exists()
