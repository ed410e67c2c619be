"""A target whose source follows a script, and an archive of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from observability.engines import registry
from observability.ingest.claims import claimed
from observability.ingest.reading import Read, read_target
from observability.jobs.services import archive
from tenants.models import Target
from tests.observability.jobs.factories import make_target
from tests.observability.jobs.fakes import ScriptedSource, reading


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> ScriptedSource:
    """The source of every kind."""
    scripted = ScriptedSource()
    kinds = dict.fromkeys(("temporal", "argo", "celery"), scripted)
    monkeypatch.setattr(registry, "_ADAPTERS", reading(kinds))
    return scripted


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, settings: Settings) -> Path:
    """Where documents are archived. What runs say they ended lies ever further in the past, and
    must not be too old to be kept one day."""
    settings.JOB_RETENTION_DAYS = 36_500
    settings.ARCHIVE_URL = (tmp_path / "archive").as_uri()
    archive.circuit.close()
    return tmp_path / "archive"


@pytest.fixture
def target(db: None) -> Target:
    """What is read."""
    return make_target()


@pytest.fixture
def read(target: Target) -> Callable[[], Read]:
    """Reads the target once, as a replica does."""

    def reading() -> Read:
        with claimed(target.pk) as claim:
            assert claim is not None
            return read_target(target.pk, token=claim.token, wait=0.0)

    return reading
