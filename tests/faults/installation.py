"""A whole Headroom of a test's own: database, broker, Celery processes, and the rows in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.utils import timezone

from console.access.models import Role, User
from console.audit.services import Actor
from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from deploy.demo.stack.processes import log_tail
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.services import proposals
from quotas.enforcement.models import OPEN_STATES, Rollout, RolloutItem
from quotas.enforcement.reconcile.probe import probe
from quotas.enforcement.services.rollouts import create_rollout
from quotas.plans.contracts import Policy
from quotas.plans.models import PlanVersion
from quotas.plans.services.plans import create_plan
from quotas.plans.services.subscriptions import subscribe
from tenants.models import Placement, Target, Tenant
from tests.faults.processes import ROOT
from tests.servers import Server, ValkeyServer
from tests.waiting import until

# As small as the settings allow: the tests wait for real leases, claims and sweeps to pass.
QUICK = {
    "CLAIM_SECONDS": "5",
    "SWEEP_SECONDS": "5",
    "PROBE_SECONDS": "5",
    "TARGET_TIMEOUT_SECONDS": "2",
}
FAULTS = Actor.command("faults")

QUICKLY = 3.0
"""Seconds to end; then it is killed, which tests of an installation survive."""


@dataclass
class Installation:
    """Where things are, and what runs."""

    home: Path
    url: str
    broker: ValkeyServer
    stack: ExitStack
    env: dict[str, str] = field(default_factory=dict)
    prefix: str = field(default_factory=lambda: f"f{uuid4().hex[:6]}")
    started: int = 0

    # -- processes ---------------------------------------------------------------------------

    def environment(self, **env: str) -> dict[str, str]:
        """Of every process of this installation."""
        mine = {
            "DATABASE_URL": self.url,
            "CELERY_BROKER_URL": self.broker.url,
            "CELERY_BEAT_SCHEDULE": str(self.home / "beat-schedule"),
            "SECRET_KEY": "x" * 50,
            "LOG_FORMAT": "console",
        }
        return {**mine, **QUICK, **self.env, **env}

    def worker(self, **env: str) -> Server:
        """A Celery worker, ready."""
        server = self.launch_worker(**env)
        server.wait_ready()
        return server

    def launch_worker(self, **env: str) -> Server:
        """A Celery worker that is starting."""
        return self._celery(
            *("worker", "--pool", "threads", "--concurrency", "4"),
            *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
            says=" ready.",
            env=env,
        )

    def beat(self) -> Server:
        """Celery's clock, running."""
        server = self._celery(
            *("beat", "--pidfile", "", "--loglevel", "INFO"), says="beat: Starting", env={}
        )
        server.wait_ready()
        return server

    def ingest(self, *, patience: float = QUICKLY, wait: bool = True) -> Server:
        """The process that reads engines, running; without `wait` it is only launched. `patience`:
        seconds that it gets to end when it is stopped."""
        argv = (sys.executable, str(ROOT / "manage.py"), "ingest")
        env = {"ARCHIVE_URL": (self.home / "archive").as_uri()}
        server = self._process("ingest", argv, says="ingest.started", env=env, patience=patience)
        if wait:
            server.wait_ready()
        return server

    def _celery(self, *words: str, says: str, env: dict[str, str]) -> Server:
        argv = (sys.executable, "-m", "celery", "-A", "console", *words)
        return self._process(words[0], argv, says=says, env=env)

    def _process(
        self,
        name: str,
        argv: tuple[str, ...],
        *,
        says: str,
        env: dict[str, str],
        patience: float = QUICKLY,
    ) -> Server:
        self.started += 1
        log = self.home / f"{name}-{self.started}.log"
        part = Part(
            name=name,
            argv=argv,
            env={**self.environment(**env), "PYTHONPATH": str(ROOT)},
            log=log,
            ready=probes.log_says(log, says),
            stop_timeout=patience,
        )
        server = Server(part)
        self.stack.callback(server.kill)
        server.launch()
        return server

    def logs(self) -> str:
        """The ends of all logs, for a test that fails."""
        return "\n".join(
            f"--- {path.name}\n{log_tail(path, 12)}" for path in sorted(self.home.glob("*.log"))
        )

    # -- rows --------------------------------------------------------------------------------

    def cluster(self, kubeconfig: Path, slug: str = "lab", **values: Any) -> Target:
        """A Kubernetes target, probed."""
        return self._target(slug, "kubernetes", credential=f"kubeconfig:{kubeconfig}", **values)

    def temporal(self, address: str, slug: str = "jobs", **values: Any) -> Target:
        """A Temporal target, probed."""
        return self._target(slug, "temporal", endpoint=address, **values)

    def celery(self, url: str, slug: str = "tasks", **values: Any) -> Target:
        """A Celery target, probed."""
        return self._target(slug, "celery", endpoint=url, **values)

    def _target(self, slug: str, kind: str, **values: Any) -> Target:
        target = Target.objects.create(slug=slug, name=slug, kind=kind, **values)
        probed = probe(target.pk)
        assert probed is not None
        assert probed.health is not None, probed.error
        return target

    def plan(self, policy: Policy | None = None, **limits: int | None) -> PlanVersion:
        """Plan standard, since an hour."""
        keys = {key.replace("__", "."): value for key, value in limits.items()}
        return create_plan(
            slug="standard",
            name="Standard",
            limits=keys or {"pods": 10},
            policy=policy or Policy(),
            actor=FAULTS,
            reason="set up",
            at=timezone.now() - timedelta(hours=1),
        )

    def tenants(self, number: int, version: PlanVersion) -> list[Tenant]:
        """Tenants with slugs that nobody else on a shared server has."""
        since = timezone.now() - timedelta(minutes=30)
        known = Tenant.objects.count()
        slugs = [f"{self.prefix}-{index:03d}" for index in range(known, known + number)]
        Tenant.objects.bulk_create(Tenant(slug=slug, name=slug) for slug in slugs)
        Tenant.objects.filter(slug__in=slugs).update(created_at=since)
        tenants = list(Tenant.objects.filter(slug__in=slugs).order_by("slug"))
        subscribe(tenants=tenants, version=version, at=since, actor=FAULTS, reason="set up")
        return tenants

    def place(self, tenants: Sequence[Tenant], target: Target) -> list[Placement]:
        """Each tenant in a namespace (or on a queue) of its name."""
        Placement.objects.bulk_create(
            Placement(tenant=tenant, target=target, location=tenant.slug) for tenant in tenants
        )
        rows = Placement.objects.filter(target=target, tenant__in=tenants)
        return list(rows.select_related("tenant", "target").order_by("pk"))

    def order(self, placements: Sequence[Placement]) -> Rollout:
        """A rollout of these placements, as a change of their plan would make it."""
        return create_rollout(
            kind="change",
            title="New limits",
            reason="a test",
            actor=FAULTS,
            placements=placements,
            at=timezone.now(),
        )

    def order_from(self, worker: Server, placements: Sequence[Placement]) -> Rollout:
        """The same, of a worker that begins when the order is there and we are watching."""
        worker.pause()
        try:
            return self.order(placements)
        finally:
            worker.resume()

    def admin(self, name: str) -> Actor:
        """Somebody who may change everything."""
        return Actor.person(User.objects.create_user(name, role=Role.ADMIN))

    def change(self, change: ProposedChange, reason: str = "a test") -> Rollout:
        """Proposed, previewed and applied, as a person does it."""
        draft, preview = proposals.propose(change=change, actor=FAULTS)
        assert preview is not None
        return proposals.apply(
            proposal=draft, fingerprint=preview.fingerprint, reason=reason, actor=FAULTS
        )

    # -- looking -----------------------------------------------------------------------------

    def finished(self, rollout: Rollout) -> None:
        """Wait until a rollout has ended; every item of it well."""

        def ended() -> bool:
            return Rollout.objects.filter(pk=rollout.pk, finished_at__isnull=False).exists()

        until(ended, what=lambda: f"{list(states(rollout))}\n{self.logs()}")
        assert set(states(rollout)) == {"done"}, list(messages(rollout))

    def quiet(self) -> bool:
        """Whether nothing waits."""
        return not RolloutItem.objects.filter(state__in=OPEN_STATES).exists()


def states(rollout: Rollout) -> list[str]:
    """Of the items of a rollout."""
    return list(RolloutItem.objects.filter(rollout=rollout).values_list("state", flat=True))


def messages(rollout: Rollout) -> list[str]:
    """What the items of a rollout say that went wrong."""
    rows = RolloutItem.objects.filter(rollout=rollout).exclude(message="")
    return list(rows.values_list("message", flat=True))
