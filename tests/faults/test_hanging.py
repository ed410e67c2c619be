"""A broker or a target that accepts connections and never answers holds no change: it is committed
in time, the answer says what could not be read, and the push follows when it wakes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from console.access.models import Role, User
from console.celery import app
from console.clients import pool
from quotas.changes.models import Proposal
from quotas.enforcement.models import Rollout
from quotas.enforcement.reconcile.queue import process_queue
from quotas.plans.models import Lease
from tenants.models import Placement
from tests.faults.installation import Installation
from tests.faults.kubectl_user import KubectlUser
from tests.rest import Rest
from tests.servers import KubeControlPlane, Server, temporal_server, valkey
from tests.waiting import until

PATIENT = 60
"""Seconds that one call to a target or the broker may take here: who waits for it is noticed."""
SOON = 30.0  # clock: 5 s are allowed; half of what a single call takes that nobody bounds
ENDS = timedelta(hours=1)


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    """It is stopped, and goes on afterwards."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


def rest(placement: Placement, key: str, value: str) -> Any:
    """A lease over REST."""
    return Rest(Role.OPERATOR).post(
        "leases/",
        {
            "tenants": [placement.tenant.slug],
            "key": key,
            "value": value,
            "until": (timezone.now() + ENDS).isoformat(),
            "reason": "load test",
        },
    )


class Page:
    """The same on the pages: the form, and applying what it leads to."""

    def __init__(self) -> None:
        self.client = Client()
        user = User.objects.create_user("olive", role=Role.OPERATOR)
        self.client.force_login(user)

    def propose(self, placement: Placement, key: str, value: str) -> Proposal:
        """Up to the preview."""
        answer = self.client.post(
            f"/tenants/{placement.tenant.slug}/limits/",
            {"key": key, "value": value, "how": "lease", "span": "4"},
        )
        assert answer.status_code == 302, answer.content.decode()
        return Proposal.objects.latest("pk")

    def apply(self, proposal: Proposal) -> Rollout:
        """What the preview says."""
        answer = self.client.post(
            f"/changes/{proposal.pk}/apply/",
            {"fingerprint": proposal.fingerprint, "reason": "load test"},
        )
        assert answer.status_code == 302, answer.content.decode()
        return Rollout.objects.latest("pk")


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and how long it took."""
    began = time.monotonic()
    return call(), time.monotonic() - began


def placed(installation: Installation, target: Any, **limits: int | None) -> Placement:
    """One tenant there, whose limits are enforced already."""
    (row,) = installation.place(installation.tenants(1, installation.plan(None, **limits)), target)
    installation.order([row])
    process_queue(target.pk)
    return row


@pytest.fixture(autouse=True)
def _patient_clients(settings: Settings) -> Iterator[None]:
    settings.TARGET_TIMEOUT_SECONDS = PATIENT
    options = dict(app.conf.broker_transport_options)
    app.conf.broker_transport_options = {**options, "socket_timeout": PATIENT}
    yield
    app.conf.broker_transport_options = options


@pytest.fixture
def at_temporal(installation: Installation, temporal_address: str) -> Placement:
    """A tenant with a rate of 20/s there."""
    return placed(
        installation, installation.temporal(temporal_address), temporal__queue_rate=20_000
    )


def rate(address: str, placement: Placement) -> int | None:
    """What Temporal enforces, in thousandths a second."""
    return pool.temporal(address).queue_config(placement.location).queue_rate.milli


@pytest.mark.temporal
def test_a_broker_that_hangs_holds_no_lease_and_the_push_follows(
    installation: Installation, at_temporal: Placement, temporal_address: str
) -> None:
    installation.worker()
    installation.beat()
    with hanging(installation.broker):
        answer, seconds = timed(lambda: rest(at_temporal, "temporal.queue_rate", "50/s"))
    assert answer.status_code == 202, answer.content
    assert seconds < SOON
    assert Lease.objects.count() == 1
    until(lambda: rate(temporal_address, at_temporal) == 50_000, what=installation.logs)
    assert Rollout.objects.filter(source__startswith="change:").count() == 1


@pytest.mark.temporal
def test_a_broker_that_hangs_holds_no_page_either(
    installation: Installation, at_temporal: Placement
) -> None:
    with hanging(installation.broker):
        page = Page()
        proposal, first = timed(lambda: page.propose(at_temporal, "temporal.queue_rate", "50/s"))
        rollout, second = timed(lambda: page.apply(proposal))
    assert max(first, second) < SOON
    assert rollout.items.get().state == "waiting"
    process_queue(at_temporal.target_id)
    assert rollout.items.get().state == "done"


@pytest.mark.temporal
def test_a_temporal_server_that_hangs_holds_no_lease_and_the_push_follows(
    installation: Installation, tmp_path: Path
) -> None:
    with temporal_server(db_file=tmp_path / "temporal.db") as server:
        target = installation.temporal(server.address)
        placement = placed(installation, target, temporal__queue_rate=20_000)
        with hanging(server):
            answer, seconds = timed(lambda: rest(placement, "temporal.queue_rate", "50/s"))
        assert answer.status_code == 202, answer.content
        assert seconds < SOON
        until(lambda: process_queue(target.pk).settled)
        assert rate(server.address, placement) == 50_000


def test_the_broker_of_a_celery_app_that_hangs_holds_no_lease(installation: Installation) -> None:
    with valkey() as server:
        target = installation.celery(server.url)
        placement = placed(installation, target, celery__queue_rate=20_000)
        with hanging(server):
            answer, seconds = timed(lambda: rest(placement, "celery.queue_rate", "50/s"))
        assert answer.status_code == 202, answer.content
        assert seconds < SOON
        preview = Proposal.objects.get().preview
        assert preview is not None
        assert "could not be read in time" in preview["blocked"][0]["message"]
        until(lambda: process_queue(target.pk).settled)


@pytest.mark.cluster
def test_an_api_server_that_hangs_holds_no_lease_and_the_push_follows(
    installation: Installation, plane: KubeControlPlane
) -> None:
    target = installation.cluster(plane.kubeconfig)
    placement = placed(installation, target, pods=10)
    with hanging(plane.apiserver):
        answer, seconds = timed(lambda: rest(placement, "pods", "50"))
    assert answer.status_code == 202, answer.content
    assert seconds < SOON
    until(lambda: process_queue(target.pk).settled)
    assert KubectlUser(plane.kubeconfig).hard(placement.location) == {"pods": "50"}


@pytest.mark.cluster
def test_a_preview_says_which_target_could_not_be_read_in_time_and_can_be_applied(
    installation: Installation, plane: KubeControlPlane, temporal_address: str
) -> None:
    lab, jobs = installation.cluster(plane.kubeconfig), installation.temporal(temporal_address)
    placement = placed(installation, lab, pods=10)
    installation.place([placement.tenant], jobs)
    with hanging(plane.apiserver):
        page = Page()
        proposal, first = timed(lambda: page.propose(placement, "pods", "50"))
        rollout, second = timed(lambda: page.apply(proposal))
    assert max(first, second) < SOON
    assert proposal.preview is not None
    (blocked,) = proposal.preview["blocked"]
    assert (blocked["target"], blocked["cause"]) == ("lab", "unreachable")
    assert "could not be read in time" in blocked["message"]
    assert set(rollout.items.values_list("target__slug", flat=True)) == {"lab", "jobs"}
    until(lambda: process_queue(lab.pk).settled)
    assert KubectlUser(plane.kubeconfig).hard(placement.location) == {"pods": "50"}
