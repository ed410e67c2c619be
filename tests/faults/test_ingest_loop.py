"""The process: a thread for each target, none of which waits for another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from console.errors import Unreachable
from observability.engines import registry
from observability.engines.contracts import Engine, Status
from observability.ingest.claims import ClaimLost, claimed
from observability.ingest.loop import Ingest, read_once
from observability.ingest.reading import read_target
from observability.jobs.models import IngestState, JobRun
from tenants.models import Target
from tests.faults.installation import Installation
from tests.observability.jobs.factories import make_target
from tests.observability.jobs.fakes import ScriptedSource, look, reading
from tests.waiting import PATIENCE, until


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> ScriptedSource:
    """Of every Temporal target."""
    scripted = ScriptedSource()
    monkeypatch.setattr(registry, "_ADAPTERS", reading({"temporal": scripted}))
    return scripted


@pytest.fixture
def target(installation: Installation, settings: Settings) -> Target:
    """What is read, in a database of the test's own: threads share it. The runs that have ended
    did so on a fixed day, and must not be too old to be kept one day."""
    settings.JOB_RETENTION_DAYS = 36_500
    return make_target()


@contextmanager
def running() -> Iterator[Ingest]:
    process = Ingest()

    def run() -> None:
        try:
            process.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield process
    finally:
        process.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_broken_target_delays_no_other(
    source: ScriptedSource, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ScriptedSource(engine=Engine.ARGO, away=Unreachable("connection refused"))
    monkeypatch.setattr(registry, "_ADAPTERS", reading({"temporal": source, "argo": broken}))
    bad = make_target("bad", "argo")
    source.pages = [[look("a")]]
    with running():
        until(lambda: JobRun.objects.filter(external_id="a").exists())
        until(lambda: IngestState.objects.filter(target=bad).exclude(error="").exists())
        since = IngestState.objects.get(target=bad).error_since
        assert since is not None
        broken.away = None
        broken.pages = [[look("b")]]
        until(lambda: JobRun.objects.filter(target=bad).exists())
        until(lambda: IngestState.objects.get(target=bad).error == "")


def test_targets_that_come_and_go_are_followed(source: ScriptedSource, target: Target) -> None:
    source.pages = [[look("a")]]
    with running():
        until(lambda: JobRun.objects.count() == 1)
        late = make_target("late")
        until(lambda: JobRun.objects.filter(target=late).exists())
        Target.objects.filter(pk=target.pk).update(enabled=False)
        until(lambda: IngestState.objects.get(target=target).claim == "")


def test_two_replicas_at_once_read_everything_once(source: ScriptedSource, target: Target) -> None:
    source.pages = [[look(f"{page}-{n}") for n in range(20)] for page in range(20)]
    with running(), running():
        until(lambda: JobRun.objects.count() == 400)
    assert IngestState.objects.get(target=target).runs_read == 400


def test_who_lost_the_claim_stores_nothing(source: ScriptedSource, target: Target) -> None:
    source.pages = [[look("a")]]
    with claimed(target.pk) as claim:
        assert claim is not None
        with claimed(target.pk) as second:
            assert second is None
        IngestState.objects.filter(target=target).update(claim="somebody else")
        with pytest.raises(ClaimLost):
            read_target(target.pk, token=claim.token, wait=0.0)
    assert not JobRun.objects.exists()
    assert IngestState.objects.get(target=target).claim == "somebody else"


def test_once_reads_and_says_what_could_not_be_read(
    source: ScriptedSource, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.pages = [[look("a", Status.FAILED)]]
    call_command("ingest", once=True)
    assert JobRun.objects.count() == 1
    source.away = Unreachable("connection refused")
    assert read_once() == {target.pk: "connection refused"}
    with pytest.raises(SystemExit):
        call_command("ingest", once=True, target=[target.slug])
    with pytest.raises(CommandError, match="No such target: nowhere"):
        call_command("ingest", target=["nowhere"])
