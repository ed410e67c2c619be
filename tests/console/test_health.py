"""/readyz names what stands still, and stays ready: pages work, and say the same."""

from __future__ import annotations

import socket
import threading

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from console.loops.contracts import BEAT, INGEST
from tenants.models import Target
from tests.console.loops.rows import all_run, stopped

pytestmark = pytest.mark.django_db


def degraded() -> list[str]:
    """But for the broker, which these tests do not have."""
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    return [name for name in answer.json()["degraded"] if name != "broker"]


def test_it_is_quiet_while_every_loop_runs() -> None:
    all_run()
    assert degraded() == []
    assert Client().get("/readyz").json()["checks"]["loops"]["late"] == []


def test_a_dead_scheduler_is_named_with_what_no_longer_runs() -> None:
    all_run()
    stopped(BEAT, "tick")
    assert degraded() == ["loop:beat", "loop:tick"]


def test_processes_that_never_ran_are_named() -> None:
    assert {f"loop:{BEAT}", f"loop:{INGEST}"} <= set(degraded())


@pytest.mark.parametrize("answer", [b"+PONG\r\n", b"-NOAUTH Authentication required.\r\n"])
def test_a_broker_that_answers_anything_is_there(answer: bytes, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                assert peer.recv(64) == b"PING\r\n"
                peer.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        assert Client().get("/readyz").json()["checks"]["broker"]["ok"]
        serving.join()


def test_a_broker_that_accepts_and_never_answers_is_away(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        answer = Client().get("/readyz")
    assert answer.json()["checks"]["broker"] == {"ok": False, "error": "TimeoutError"}
    assert "broker" in answer.json()["degraded"]


def test_a_target_that_stands_still_is_told_without_its_name() -> None:
    all_run()
    target = Target.objects.create(slug="secret-lab", name="Lab", kind="kubernetes")
    Target.objects.filter(pk=target.pk).update(updated_at=timezone.now().replace(year=2020))
    assert degraded() == ["loop:ingest", "loop:probe", "loop:sweep"]
    assert "secret-lab" not in Client().get("/readyz").content.decode()
