"""What retention removed does not come back while its engine still has it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from observability.engines.contracts import Status
from observability.ingest.reading import Read
from observability.jobs.models import JobRun
from observability.jobs.services import retention
from tenants.models import Target
from tests.observability.jobs.fakes import ScriptedSource, look

pytestmark = pytest.mark.django_db
Reading = Callable[[], Read]


def test_a_run_that_was_removed_is_not_read_again(
    source: ScriptedSource, read: Reading, target: Target, kept: Path
) -> None:
    Target.objects.filter(pk=target.pk).update(options={"trail_retention_days": 7})
    now = timezone.now()
    old = now - timedelta(days=8)
    everything = [
        look("old", Status.SUCCEEDED, created_at=old, closed_at=old, document=b"old"),
        look("young", Status.SUCCEEDED, created_at=old, closed_at=now, document=b"young"),
        look("open", created_at=old),
    ]
    source.pages = [everything]
    read()
    assert set(JobRun.objects.values_list("external_id", flat=True)) == {"young", "open"}
    assert len(list(kept.rglob("*.zst"))) == 1
    later = look("open", Status.FAILED, "2", created_at=old, closed_at=old)
    source.pages += [everything, [later]]
    read()
    assert JobRun.objects.get(external_id="open").status == Status.FAILED
    assert retention.apply(now=now) == 1
    source.pages += [[later, *everything[:2]]]
    read()
    assert JobRun.objects.get().external_id == "young"


def test_a_run_that_ended_long_ago_and_goes_on_is_read(
    source: ScriptedSource, read: Reading, target: Target
) -> None:
    old = timezone.now() - timedelta(days=1000)
    source.pages = [
        [
            look("a", Status.FAILED, created_at=old, closed_at=old),
            look("a", Status.RUNNING, "2", created_at=old),
        ]
    ]
    read()
    assert JobRun.objects.get().status == Status.RUNNING
