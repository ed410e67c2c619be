"""A credential file with a line break: one at its end is nothing, one within it is said wherever
the target is used, and the secret nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from console.access.models import Role, User
from console.audit.services import Actor
from console.clients import pool
from observability.ingest.loop import read_once
from observability.jobs.models import IngestState
from quotas.enforcement.models import ItemState, RolloutItem, TargetState
from quotas.enforcement.reconcile.probe import probe
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.sweep import sweep
from quotas.enforcement.services.rollouts import create_rollout
from tenants.models import Placement, Target, Tenant
from tests.console.clients.scripted import Answer, scripted
from tests.rest import Rest
from tests.servers import ValkeyServer

pytestmark = pytest.mark.django_db
HALVES = ("hunter2first", "hunter2second")
KINDS = pytest.mark.parametrize("kind", ["kubernetes", "argo", "temporal", "celery"])
BREAKS = pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"], ids=ascii)
SECRETS = {"celery": "redis://:{}@127.0.0.1:1/0"}
"""What the file holds; of the others the token itself."""


@pytest.fixture
def place(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """The directory of credentials."""
    settings.CREDENTIAL_DIRS = [str(tmp_path)]
    settings.ARCHIVE_URL = (tmp_path / "archive").as_uri()
    yield tmp_path
    pool.close_all()


def made(kind: str, endpoint: str, path: Path, content: str) -> Target:
    """A target whose credential is that file."""
    path.write_bytes(content.encode())
    host = endpoint if kind in ("kubernetes", "argo") else endpoint.partition("//")[2]
    return Target.objects.create(
        slug="lab", name="Lab", kind=kind, credential=f"file:{path}",
        endpoint="" if kind == "celery" else host,
    )  # fmt: skip


@KINDS
@BREAKS
def test_a_line_break_within_a_credential_is_said_and_the_secret_nowhere(
    kind: str, line_break: str, place: Path
) -> None:
    with scripted() as script:
        secret = SECRETS.get(kind, "{}").format(line_break.join(HALVES))
        target = made(kind, script.url, place / "secret", secret)
        texts = [*connected(), *reconciled(target), *ingested(target)]
        assert script.seen == []
    for text in texts:
        assert "line break" in text, text
        assert not any(half in text for half in HALVES)
        assert "Traceback" not in text


def connected() -> Iterator[str]:
    """What “Test connection” says, over REST and on the page."""
    answer = Rest(Role.OPERATOR).post("targets/lab/test/", {})
    assert answer.status_code != 500, answer.content
    yield answer.content.decode()
    client = Client()
    client.force_login(User.objects.create_user("olga", role=Role.OPERATOR))
    page = client.post("/targets/lab/test/", follow=True)
    assert page.status_code < 500
    yield page.content.decode()


def reconciled(target: Target) -> Iterator[str]:
    """What a worker says of the target, of a look at everything and of a push."""
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    placement = Placement.objects.create(tenant=tenant, target=target, location="acme")
    rollout = create_rollout(
        kind="change", title="t", reason="because", actor=Actor.command("test"),
        placements=[placement], at=timezone.now(),
    )  # fmt: skip
    assert probe(target.pk) is not None
    yield TargetState.objects.get().message
    TargetState.objects.update(not_before=None)
    process_queue(target.pk)
    item = RolloutItem.objects.get(rollout=rollout)
    assert item.state == ItemState.WAITING
    yield item.message or TargetState.objects.get().message
    client = Client()
    client.force_login(User.objects.get(username="olga"))
    yield client.get(f"/rollouts/{rollout.pk}/").content.decode()
    TargetState.objects.update(not_before=None)
    sweep(target.pk, force=True)
    yield TargetState.objects.get().message


def ingested(target: Target) -> Iterator[str]:
    """What the reader of jobs says of it."""
    yield str(read_once([target.slug])[target.pk])
    yield IngestState.objects.get(target=target).error


@pytest.mark.parametrize("kind", ["kubernetes", "argo"])
@BREAKS
def test_a_line_break_at_the_end_is_not_sent(kind: str, line_break: str, place: Path) -> None:
    with scripted(Answer(200, b'{"major":"1","minor":"37","gitVersion":"v1.37.0"}')) as script:
        made(kind, script.url, place / "secret", f"hunter2{line_break}")
        Rest(Role.OPERATOR).post("targets/lab/test/", {})
        assert {request.headers["Authorization"] for request in script.seen} == {"Bearer hunter2"}


@BREAKS
def test_a_line_break_behind_the_address_of_a_broker_is_nothing(
    line_break: str, place: Path, valkey: ValkeyServer
) -> None:
    made("celery", "", place / "secret", f"{valkey.url}{line_break}")
    answer = Rest(Role.OPERATOR).post("targets/lab/test/", {})
    assert answer.status_code == 200, answer.content
    assert "Valkey" in answer.content.decode()
