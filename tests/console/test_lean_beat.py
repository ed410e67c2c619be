"""What the processes of Celery load, and what they tell others about themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from celery.worker.consumer import Consumer

from console.broker_loss import PatientConsumer
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
STARTS = {
    "beat": ("beat_init", "app.start(['beat', '--pidfile', '', '--schedule', 'schedule'])"),
    "worker": ("worker_init", "app.worker_main(['worker', '--pool', 'solo'])"),
}


@pytest.mark.parametrize(
    ("process", "without"),
    [
        ("beat", {"temporalio", "kubernetes", "aiohttp", "rest_framework", "quotas.plans.models"}),
        ("worker", {"console.urls", "drf_spectacular.plumbing", "kubernetes"}),
    ],
)
def test_a_process_loads_only_what_it_is_for(
    process: str, without: set[str], tmp_path: Path
) -> None:
    signal, start = STARTS[process]
    code = (
        "import os, sys\n"
        "from console.celery import app\n"
        f"from celery.signals import {signal}\n"
        "def stop(**_):\n"
        "    os.write(1, ('\\n'.join(sys.modules) + '\\nthat is all\\n').encode())\n"
        "    os._exit(0)\n"
        f"{signal}.connect(stop)\n{start}"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT), "CELERY_BROKER_URL": "memory://"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    modules = set(ended.stdout.splitlines())
    assert {"that is all", "django.db"} <= modules, ended.stderr
    assert modules & without == set()


@pytest.mark.parametrize("monitored", [False, True])
def test_a_worker_tells_others_of_itself_only_where_somebody_monitors(
    monkeypatch: pytest.MonkeyPatch, monitored: bool
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(Consumer, "__init__", lambda _self, **options: given.update(options))
    PatientConsumer(hostname="here", worker_options={"task_events": monitored})
    names = ("without_gossip", "without_mingle", "without_heartbeat")
    assert [given["worker_options"].get(name, False) for name in names] == [not monitored] * 3
    assert given["hostname"] == "here"
