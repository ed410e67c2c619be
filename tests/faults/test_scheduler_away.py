"""No scheduler, or too many of them: leases end all the same, once, and what is dead is said."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from console.clients import pool
from console.loops.contracts import BEAT
from console.loops.models import Interruption, LoopTick
from quotas.changes.kinds.adjustments import GrantLease
from quotas.enforcement.models import Rollout, TargetState
from quotas.enforcement.reconcile.queue import process_queue
from quotas.plans.models import Lease
from tests.console.loops.rows import all_run, stopped
from tests.faults.installation import Installation
from tests.waiting import until

pytestmark = pytest.mark.temporal


class Leased:
    """A tenant with a rate of 20/s by its plan and 50/s by a lease."""

    def __init__(self, installation: Installation, address: str) -> None:
        version = installation.plan(temporal__queue_rate=20_000)
        target = installation.temporal(address)
        self.installation = installation
        (self.placement,) = installation.place(installation.tenants(1, version), target)
        self._client = pool.temporal(address)

    def grant(self) -> None:
        """The lease, in force."""
        slug, ends = self.placement.tenant.slug, timezone.now() + timedelta(hours=1)
        self.installation.change(GrantLease((slug,), "temporal.queue_rate", 50_000, ends))
        process_queue(self.placement.target_id)
        until(lambda: self.rate() == 50_000, what=self.installation.logs)

    def rate(self) -> int | None:
        """What the server enforces, in thousandths a second."""
        return self._client.queue_config(self.placement.location).queue_rate.milli

    def ends(self) -> None:
        """The lease's time is over: wait until the plan's rate is back."""
        Lease.objects.update(ends_at=timezone.now())
        until(lambda: self.rate() == 20_000, what=self.installation.logs)

    def rounds(self) -> list[Rollout]:
        """The rollouts that the lease's end made."""
        since = Lease.objects.get().ends_at
        return list(Rollout.objects.filter(kind="due", created_at__gte=since))


@pytest.fixture
def leased(installation: Installation, temporal_address: str) -> Leased:
    """See there. Nothing runs yet."""
    return Leased(installation, temporal_address)


def test_a_lease_ends_without_a_scheduler_as_ingest_wakes_the_worker(leased: Leased) -> None:
    all_run()
    stopped(BEAT, "tick", minutes=10)
    leased.installation.worker()
    leased.grant()
    leased.installation.ingest()
    leased.ends()
    since = timezone.now() - timedelta(minutes=5)
    until(lambda: LoopTick.objects.filter(name="tick", at__gt=since).exists())


def test_a_lease_ends_with_neither_scheduler_nor_worker(leased: Leased) -> None:
    all_run()
    stopped(BEAT, "tick", minutes=10)
    leased.installation.ingest()
    leased.grant()
    leased.ends()


def test_two_schedulers_end_a_lease_once(leased: Leased) -> None:
    leased.grant()
    leased.installation.worker()
    leased.installation.beat()
    leased.installation.beat()
    until(lambda: TargetState.objects.filter(swept_at__isnull=False).exists())
    leased.ends()
    until(lambda: all(rollout.finished_at for rollout in leased.rounds()))
    assert len(leased.rounds()) == 1


def test_a_scheduler_that_was_killed_is_missed(installation: Installation) -> None:
    beat = installation.beat()
    until(lambda: LoopTick.objects.filter(name=BEAT, at__isnull=False).exists())
    assert "loop:beat" not in Client().get("/readyz").json()["degraded"]
    beat.kill()
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=True):
        answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert {"loop:beat", "loop:tick"} <= set(answer.json()["degraded"])
    assert Interruption.objects.get(name=BEAT).at is None
    installation.beat()
    until(lambda: Interruption.objects.get(name=BEAT).at is not None)
