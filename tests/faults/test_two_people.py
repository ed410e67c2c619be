"""Two people, or a person and the world: what was promised is done, or nothing is."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.utils import timezone

from console.audit.models import Entry
from console.errors import DomainError
from quotas.changes.kinds.adjustments import SetOverride
from quotas.changes.kinds.plans import PublishPlan
from quotas.changes.models import Proposal
from quotas.changes.services import proposals
from quotas.enforcement.models import Rollout
from quotas.enforcement.reconcile.queue import process_queue
from quotas.plans.models import Override, PlanVersion
from tests.faults.conftest import Build
from tests.faults.installation import FAULTS
from tests.faults.kubectl_user import KubectlUser
from tests.servers import Cluster
from tests.waiting import PATIENCE

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_of_two_people_who_publish_a_plan_at_once_one_is_told_and_nothing_is_overwritten(
    build: Build, kube: Cluster, vendor: str
) -> None:
    installation = build(vendor)
    target = installation.cluster(kube.kubeconfig)
    (placement,) = installation.place(installation.tenants(1, installation.plan(pods=10)), target)
    installation.order([placement])
    process_queue(target.pk)
    start = threading.Barrier(2, timeout=PATIENCE)
    outcomes: dict[int, Rollout | DomainError] = {}

    def publish(pods: int, draft: Proposal, who: str) -> None:
        try:
            start.wait()
            outcomes[pods] = proposals.apply(
                proposal=draft, fingerprint=draft.fingerprint, reason="mine", actor=actors[who]
            )
        except DomainError as error:
            outcomes[pods] = error
        finally:
            connection.close()

    actors = {name: installation.admin(name) for name in ("alice", "bob")}
    threads = []
    for pods, who in ((20, "alice"), (30, "bob")):
        change = PublishPlan("standard", 1, {"pods": pods})
        draft, _ = proposals.propose(change=change, actor=actors[who])
        threads.append(threading.Thread(target=publish, args=(pods, draft, who), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    (winner,) = [pods for pods, outcome in outcomes.items() if isinstance(outcome, Rollout)]
    (refusal,) = [outcome for outcome in outcomes.values() if isinstance(outcome, DomainError)]
    assert (refusal.status, refusal.code in {"stale_preview", "plan_moved_on"}) == (409, True)
    assert list(PlanVersion.objects.values_list("number", flat=True).order_by("number")) == [1, 2]
    process_queue(target.pk)
    assert KubectlUser(kube.kubeconfig).hard(placement.location) == {"pods": str(winner)}
    assert Entry.objects.filter(action="change.apply", outcome="refused").count() == 1


def test_a_preview_that_the_cluster_has_overtaken_is_refused_and_says_what_changed(
    build: Build, kube: Cluster
) -> None:
    installation, kubectl_user = build("sqlite"), KubectlUser(kube.kubeconfig)
    target = installation.cluster(kube.kubeconfig)
    (placement,) = installation.place(installation.tenants(1, installation.plan(pods=10)), target)
    installation.order([placement])
    process_queue(target.pk)
    change = SetOverride((placement.tenant.slug,), "pods", 12)
    draft, preview = proposals.propose(change=change, actor=FAULTS)
    assert preview is not None
    kubectl_user.edit(placement.location, pods="50")

    with pytest.raises(DomainError) as refused:
        proposals.apply(
            proposal=draft, fingerprint=preview.fingerprint, reason="more room", actor=FAULTS
        )

    assert (refused.value.code, refused.value.status) == ("stale_preview", 409)
    (since,) = refused.value.detail["since"]
    assert (since["target"], since["path"]) == ("lab", "spec.hard[pods]")
    assert not Override.objects.exists()
    assert kubectl_user.hard(placement.location) == {"pods": "50"}
    again = proposals.update_preview(proposal=draft, now=timezone.now())
    proposals.apply(proposal=draft, fingerprint=again.fingerprint, reason="yes", actor=FAULTS)
    process_queue(target.pk)
    assert kubectl_user.hard(placement.location) == {"pods": "12"}
