"""Faults in the middle of a rollout, on a demo: does it heal, is anything lost, what do pages say?

Each time a new version of a plan is published to all its tenants over REST, and one second later
the fault happens. Somebody looks at the overview, the targets, the rollout, the jobs and /readyz
all the while. Afterwards every quota in the cluster is compared with the version, and the tasks
that the sample workers have received with the job audit trail.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.db.models import Count
from django.utils import timezone

from console.access import services as access
from console.access.models import User
from console.audit.models import Entry
from console.clients import pool
from deploy.demo.sample import CLUSTER, TEMPORAL
from observability.jobs.models import JobRun
from quotas.enforcement.models import Rollout, RolloutItem
from quotas.plans.services.plans import create_plan
from tenants.models import Target
from tests.bench import sample_rows
from tests.bench.browser import session_of
from tests.bench.demo import Demo, running_demo
from tests.bench.fault_kinds import KINDS, FaultKind
from tests.bench.fault_outcomes import Outcome, figures, matrix, silent, summary
from tests.bench.figures import Figure, progress
from tests.bench.page_text import Onlooker, Sighting, ask, worded

TENANTS: Final = int(os.environ.get("BENCH_FAULTS_TENANTS", "110"))
ONLY: Final = os.environ.get("BENCH_FAULTS_ONLY", "")
PLAN: Final = "bench"
PATIENCE: Final = 300.0
CHANGE_AFTER: Final = 3.0
QUIET_SECONDS: Final = 20.0
"""How long pages are watched before the first fault, for what they always say."""
_RECEIVED: Final = re.compile(r"Task \S+\[([0-9a-f-]{36})\] received")


@dataclass(slots=True)
class Bench:
    """A demo with many tenants on one plan."""

    demo: Demo
    cookie: str
    token: str
    tenants: list[str]
    usual: set[str] = field(default_factory=set)
    missing: int = 0

    def call(self, path: str, body: dict[str, Any], seconds: float = 60) -> tuple[int, Any]:
        """A POST over REST: its status (0: no answer) and what was answered."""
        request = urllib.request.Request(
            f"{self.demo.url}/api/v1/{path}",
            data=json.dumps({**body, "reason": "bench"}).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")[:300]
        except OSError as error:
            return 0, type(error).__name__

    def publish(self, number: int) -> Rollout:
        """The next version of the plan, with this many pods."""
        base = number - FIRST - 1
        status, body = self.call(
            f"plans/{PLAN}/versions/", {"base_version": base, "limits": {"pods": number}}
        )
        if status != 202:
            raise AssertionError(f"publishing answered {status}: {body}")
        return Rollout.objects.get(pk=body["id"])


LIMITS: Final = {
    key: value for key, value in sample_rows.LIMITS.items() if not key.startswith("temporal.")
}
FIRST: Final = 200
"""Pods of version 0 would be so many; version N has FIRST + N."""


def run(home: Path) -> list[Figure]:
    """One row for each fault, and the table that people read."""
    outcomes = []
    with running_demo(home) as demo:
        bench = _prepare(demo)
        for number, kind in enumerate(kind for kind in KINDS if ONLY in kind.name):
            outcome = _suffer(bench, kind, FIRST + 2 + number)
            outcomes.append(outcome)
            progress(summary(outcome))
        pool.close_all()
    sys.stdout.write(matrix(outcomes))
    return [figure for outcome in outcomes for figure in figures(outcome, TENANTS)] + [
        silent(outcomes)
    ]


def _prepare(demo: Demo) -> Bench:
    version = create_plan(
        slug=PLAN,
        name="Bench",
        limits={**LIMITS, "pods": FIRST + 1},
        actor=sample_rows.BENCH,
        reason="bench",
        at=timezone.now() - timedelta(hours=1),
    )
    slugs = [f"bench-{index:03d}" for index in range(TENANTS)]
    rows = sample_rows.settle_in(Target.objects.get(slug=CLUSTER), version, slugs)
    sample_rows.order(rows)
    cookie = session_of()
    token = access.issue_token(
        actor=sample_rows.BENCH, user=User.objects.get(username="bench"), name="bench",
        expires_at=None, scope="all",
    )  # fmt: skip
    bench = Bench(demo, cookie, token, slugs)
    _until(lambda: not _wrong(bench, FIRST + 1), "the first push")
    progress(f"{TENANTS} tenants are on the plan")
    onlooker = Onlooker(demo.port, cookie, _paths(Rollout.objects.latest("pk")))
    onlooker.start()
    time.sleep(QUIET_SECONDS)
    bench.usual = {worded(line) for sighting in onlooker.stop() for line in sighting.lines}
    bench.missing = len(_missing(bench))
    return bench


def _paths(rollout: Rollout) -> list[str]:
    return [
        "/",
        f"/targets/{CLUSTER}/",
        f"/targets/{TEMPORAL}/",
        f"/rollouts/{rollout.pk}/",
        "/jobs/",
        "/readyz",
    ]


def _suffer(bench: Bench, kind: FaultKind, pods: int) -> Outcome:
    outcome, demo = Outcome(kind), bench.demo
    before = {part: demo.pid(part) for part in kind.parts}
    onlooker = Onlooker(demo.port, bench.cookie, [])
    _learn(bench)
    rollout = bench.publish(pods)
    published = time.monotonic()
    onlooker.paths[:] = _paths(rollout)
    time.sleep(max(published + 1 - time.monotonic(), 0))
    onlooker.start()
    begun = time.monotonic()
    inflicting = threading.Thread(target=kind.inflict, args=(demo,))
    inflicting.start()
    changing = threading.Timer(CHANGE_AFTER, _change_meanwhile, (bench, outcome))
    changing.start()
    deadline = begun + PATIENCE
    while time.monotonic() < deadline:
        since = time.monotonic() - begun
        if outcome.rollout is None and _finished(rollout):
            outcome.rollout = since
        if outcome.healed is None and not inflicting.is_alive() and _runs_again(demo, kind, before):
            outcome.healed = since
        given_up = not kind.heals and since > 120
        if (outcome.rollout is not None and outcome.healed is not None) or given_up:
            break
        time.sleep(0.1)
    inflicting.join()
    changing.join()
    _read(outcome, onlooker.stop(), bench.usual, begun)
    if kind.name != "supervisor kill -9":
        _count(bench, outcome, rollout, pods)
    if not kind.heals:
        _restart(bench)
    return outcome


def _learn(bench: Bench) -> None:
    """What pages say before the fault: of those before it they still tell."""
    for path in _paths(Rollout.objects.latest("pk")):
        bench.usual |= set(map(worded, ask(bench.demo.port, path, bench.cookie).lines))


def _change_meanwhile(bench: Bench, outcome: Outcome) -> None:
    """What somebody is answered who changes something three seconds into the fault."""
    begun = time.monotonic()
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    status, body = bench.call(
        "leases/",
        {"tenants": [bench.tenants[0]], "key": "count/jobs.batch", "value": "600", "until": until},
    )
    seconds = time.monotonic() - begun
    words = "" if status == 202 else f", {_detail(body)}"
    outcome.refused, outcome.answered_after = status >= 400, CHANGE_AFTER + seconds
    outcome.change = f"{status or 'no answer'} in {seconds:.1f} s{words}"


def _detail(body: Any) -> str:
    try:
        return str(json.loads(body)["detail"])[:160]
    except (ValueError, KeyError, TypeError):
        return " ".join(str(body).split())[:60]


def _finished(rollout: Rollout) -> bool:
    return Rollout.objects.filter(pk=rollout.pk, finished_at__isnull=False).exists()


def _runs_again(demo: Demo, kind: FaultKind, before: dict[str, int]) -> bool:
    if kind.name == "supervisor kill -9":
        return False
    parts = demo.parts()
    return all(
        parts[part][0] == "ready" and (parts[part][1] != before[part] or not kind.killed)
        for part in kind.parts
    )


def _read(outcome: Outcome, sightings: list[Sighting], usual: set[str], begun: float) -> None:
    """The first line that tells of the fault, and how pages answered."""
    for sighting in sightings:
        lines = (line for line in sighting.lines if worded(line) not in usual)
        telling = next((line for line in lines if re.search(outcome.kind.says, line)), "")
        if telling and not outcome.tells:
            outcome.said_after, outcome.tells = sighting.at + sighting.seconds - begun, True
            outcome.page = f"{sighting.path}: {telling}"
    if not outcome.tells:
        outcome.page = _instead(outcome, sightings)
    counts: dict[int, int] = {}
    for sighting in sightings:
        counts[sighting.status] = counts.get(sighting.status, 0) + 1
    slowest = max((sighting.seconds for sighting in sightings), default=0.0)
    statuses = ", ".join(f"{count} × {status or 'none'}" for status, count in counts.items())
    outcome.answers = f"{statuses}; at most {slowest:.1f} s"


def _instead(outcome: Outcome, sightings: list[Sighting]) -> str:
    """What somebody was told where no page had a line about the fault: the answer to a change that
    was refused because of it, else what the overview went on saying."""
    if outcome.refused:
        outcome.tells = bool(re.search(outcome.kind.says, outcome.change))
        outcome.said_after = outcome.answered_after
        return f"to the change: {outcome.change}"
    overview = [sighting.lines for sighting in sightings if sighting.path == "/"]
    lines = [line for line in (overview[-1] if overview else ()) if "as of" in line]
    return f"/: nothing of it; {lines[0] if lines else 'no line says as of when'}"


def _count(bench: Bench, outcome: Outcome, rollout: Rollout, pods: int) -> None:
    """Quotas that are not as the version says, rows that are there twice, tasks without a run."""
    _until(lambda: not _wrong(bench, pods), "", seconds=30)
    outcome.lost = len(_wrong(bench, pods))
    items = RolloutItem.objects.filter(rollout=rollout).values("placement_id")
    twice = items.annotate(n=Count("id")).filter(n__gt=1).count()
    ended = Entry.objects.filter(action="rollout.finish", object_id=str(rollout.pk)).count()
    outcome.doubled = twice + max(ended - 1, 0)
    _until(lambda: len(_missing(bench)) <= bench.missing, "", seconds=40)
    now = len(_missing(bench))
    outcome.missing, bench.missing = max(now - bench.missing, 0), now


def _wrong(bench: Bench, pods: int) -> list[str]:
    client = pool.kubernetes(f"kubeconfig:{bench.demo.kubeconfig}")
    quotas = {
        quota["metadata"]["namespace"]: quota["spec"]["hard"].get("pods")
        for quota in client.list("ResourceQuota", label_selector="headroom.dev/tenant")
        if quota["metadata"]["name"] == "headroom"
    }
    return [slug for slug in bench.tenants if quotas.get(slug) != str(pods)]


def _missing(bench: Bench) -> set[str]:
    """Ids of tasks that the sample workers have received and the trail does not have."""
    received: set[str] = set()
    for log in bench.demo.state.logs.glob("tasks-*.log*"):
        received |= set(_RECEIVED.findall(log.read_text(errors="replace")))
    runs = JobRun.objects.filter(engine="celery", external_id__in=received)
    return received - set(runs.values_list("external_id", flat=True))


def _restart(bench: Bench) -> None:
    bench.demo.stop()
    bench.demo.start()


def _until(check: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
    """Waits; with `what`, raises AssertionError when it does not come about."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if check():
                return
        except Exception as error:
            progress(f"{type(error).__name__}: {error}"[:200])
        if time.monotonic() > deadline:
            if what:
                raise AssertionError(f"{what} did not come about in {seconds:.0f} s")
            return
        time.sleep(0.5)
