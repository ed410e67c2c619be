"""Registers the sample's workflow bundles and asks for a replay of the runs that ended first.

Run by the sample's workloads as `python -m deploy.demo.seed.replays`. Doing it again changes
nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from django.conf import settings  # noqa: E402 - Django has to be set up first

from console.audit.services import Actor  # noqa: E402
from deploy.demo.stack.state import ROOT  # noqa: E402
from observability.engines.contracts import Engine  # noqa: E402
from observability.jobs.models import ArchiveState, JobRun  # noqa: E402
from observability.replays.models import Replay, WorkflowBundle  # noqa: E402
from observability.replays.services import bundles, replays, run_selection  # noqa: E402

ACTOR = Actor.command("demo")
WORKLOADS = ROOT / "deploy" / "demo" / "workloads"
BUNDLES = (
    ("batches", "build-41", WORKLOADS / "temporal_workflows.py", "What runs now"),
    (
        "batches",
        "build-42",
        WORKLOADS / "bundles" / "batches" / "build-42" / "batches.py",
        "Shall large batches rest half-way?",
    ),
)
"""Name, version, file, reason: what runs, and what somebody would like to run."""
LAST = 40
ENOUGH = 25
PATIENCE = 180.0
QUERY = "type:SampleBatch status:succeeded"


def registered() -> list[WorkflowBundle]:
    """The bundles, registered where they are not yet."""
    for name, version, file, reason in BUNDLES:
        if WorkflowBundle.objects.filter(name=name, version=version).exists():
            continue
        home = Path(settings.REPLAY_BUNDLES) / name / version
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, home / file.name)
        bundles.register(
            name=name, version=version, modules=[file.stem], actor=ACTOR, reason=reason
        )
    return list(WorkflowBundle.objects.filter(name="batches").order_by("version"))


def wait_for_runs() -> bool:
    """Whether enough runs have ended and been archived, in time."""
    ended = JobRun.objects.filter(
        engine=Engine.TEMPORAL, type="SampleBatch", archive=ArchiveState.STORED
    )
    deadline = time.monotonic() + PATIENCE
    while ended.count() < ENOUGH:
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True


def main() -> int:
    """Registers, waits, asks."""
    demo_bundles = registered()
    if Replay.objects.exists():
        return 0
    if not wait_for_runs():
        sys.stderr.write("Too few batches have ended: no replay was asked for.\n")
        return 1
    for bundle in demo_bundles:
        runs, selection = run_selection.newest(None, QUERY, last=LAST)
        replay = replays.ask(bundle=bundle, runs=runs, selection=selection, actor=ACTOR)
        sys.stdout.write(f"Replay {replay.pk} of {len(runs)} runs against {bundle}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
