"""The sample workers are somebody's own, who has nothing to do with Headroom."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from deploy.demo.parts import celery_workers
from deploy.demo.stack.state import State

FIXUPS = (
    "from deploy.demo.workloads.celery_tasks import app; print(list(filter(None, app._fixups)))"
)
"""What Celery loads besides: Django where its settings are named."""


def test_a_sample_worker_loads_nothing_of_headroom_though_its_settings_are_named_around_it(
    tmp_path: Path,
) -> None:
    own = {"PYTHONPATH": str(Path.cwd()), "HEADROOM_DEMO_CELERY": "redis://127.0.0.1:1"}
    for part in celery_workers.parts(State(tmp_path), own, after=()):
        env = {**os.environ, "DJANGO_SETTINGS_MODULE": "console.settings", **part.env}
        answer = subprocess.run(
            [sys.executable, "-c", FIXUPS], env=env, check=True, capture_output=True, text=True
        )
        assert answer.stdout.strip() == "[]"
