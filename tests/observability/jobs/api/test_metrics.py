"""/metrics and the panel of a target: how far behind the trail is."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from console.access.models import Role, User
from observability.engines import registry
from observability.engines.contracts import Status
from observability.jobs.models import IngestGap, IngestState
from observability.jobs.selectors.ingest import ingest_statuses
from quotas.enforcement.models import TargetState
from tenants.models import Target
from tests.console.loops.rows import all_run, stopped
from tests.observability.jobs.factories import make_run, make_target
from tests.observability.jobs.fakes import ScriptedSource, reading
from tests.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    """Read until ten seconds ago; the other one never was."""
    monkeypatch.setattr(registry, "_ADAPTERS", reading({"temporal": ScriptedSource()}))
    target = make_target("eu")
    make_target("us")
    now = timezone.now()
    IngestState.objects.create(
        target=target,
        through=now - timedelta(seconds=10),
        read_at=now,
        runs_read=7,
        events_read=70,
    )
    make_run(target, status=Status.RUNNING)
    return target


def scraped(rest: Rest | None = None) -> dict[tuple[str, str], float]:
    response = (rest or Rest(Role.VIEWER)).client.get("/metrics", headers={"Accept": "text/html"})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    return {
        (sample.name, sample.labels["target"]): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def test_prometheus_reads_lag_and_progress(target: Target) -> None:
    samples = scraped()
    assert 9 < samples["headroom_ingest_lag_seconds", "eu"] < 60
    assert samples["headroom_ingest_runs_read_total", "eu"] == 7
    assert samples["headroom_ingest_events_read_total", "eu"] == 70
    assert samples["headroom_ingest_open_runs", "eu"] == 1
    assert ("headroom_ingest_lag_seconds", "us") not in samples
    assert samples["headroom_ingest_caught_up", "us"] == 0


def test_what_nobody_reads_any_more_is_not_caught_up(target: Target) -> None:
    state, rest = IngestState.objects.filter(target=target), Rest(Role.VIEWER)
    state.update(caught_up=True)
    assert scraped(rest)["headroom_ingest_caught_up", "eu"] == 1
    state.update(read_at=timezone.now() - timedelta(minutes=10))
    samples = scraped(rest)
    assert samples["headroom_ingest_caught_up", "eu"] == 0
    assert 590 < samples["headroom_ingest_lag_seconds", "eu"] < 660
    (eu,) = (status for status in ingest_statuses(timezone.now()) if status.target == target)
    assert (eu.late, eu.silent) == (True, True)


def test_a_stranger_is_asked_for_a_token(target: Target) -> None:
    assert Client().get("/metrics").status_code == 401


def test_any_number_of_targets_costs_as_many_queries(
    target: Target, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        IngestState.objects.create(target=make_target(f"t{number}"))
    with django_assert_num_queries(2):
        assert len(ingest_statuses(timezone.now())) == 22


def test_the_panel_says_what_is_wrong(target: Target, client: Client) -> None:
    now = timezone.now()
    IngestState.objects.update(error="namespace <b>gone</b>", error_since=now)
    IngestGap.objects.create(
        target=target, starts_at=now - timedelta(minutes=5), ends_at=now, cause="broker restarted"
    )
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    page = client.get(f"/jobs/targets/{target.slug}/ingest/").content.decode()
    assert "namespace &lt;b&gt;gone&lt;/b&gt;" in page
    assert "broker restarted" in page
    assert "Open runs" in page
    IngestState.objects.all().delete()
    never = client.get(f"/jobs/targets/{target.slug}/ingest/").content.decode()
    assert "nothing was read yet" in never
    assert "not yet" in never
    Target.objects.filter(pk=target.pk).update(kind="prometheus")
    assert client.get(f"/jobs/targets/{target.slug}/ingest/").content.strip() == b""


def test_prometheus_reads_how_long_ago_each_loop_ran(target: Target) -> None:
    all_run()
    stopped("beat", minutes=10)
    TargetState.objects.create(target=target, swept_at=timezone.now() - timedelta(seconds=30))
    families = text_string_to_metric_families(
        Rest(Role.VIEWER).client.get("/metrics").content.decode()
    )
    samples = {
        (sample.name, sample.labels["loop"], sample.labels["target"]): sample.value
        for family in families
        for sample in family.samples
        if "loop" in sample.labels
    }
    age, late = "headroom_loop_age_seconds", "headroom_loop_late"
    assert 600 <= samples[age, "beat", ""] < 660
    assert (samples[late, "beat", ""], samples[late, "tick", ""]) == (1.0, 0.0)
    assert 30 <= samples[age, "sweep", "eu"] < 90
    assert samples[late, "sweep", "eu"] == 0.0
    assert (age, "ingest", "eu") in samples
    assert {"usage", "job-retention", "ingest"} <= {loop for _, loop, _ in samples}


def test_a_loop_that_never_ran_is_infinitely_old(target: Target) -> None:
    assert scraped()["headroom_loop_age_seconds", ""] == math.inf
