"""Object storage goes away and comes back while an engine is read: a real S3-compatible server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.utils import timezone
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from deploy.ports import any_free
from observability.engines.contracts import Status
from observability.ingest.reading import Read
from observability.jobs.models import ArchiveState, JobDocument, JobRun
from observability.jobs.services import archive
from observability.jobs.services.archive import archived_document
from observability.jobs.services.archive_due import archive_documents
from tests.object_storage import S3
from tests.observability.jobs.fakes import ScriptedSource, history, look
from tests.servers import skip_if_forbidden

pytestmark = pytest.mark.django_db
Reading = Callable[[], Read]


@dataclass
class Storage:
    """A place where a server may be."""

    port: int

    def up(self) -> ThreadedMotoServer:
        """A server with the bucket, empty as it forgets everything when it stops."""
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        server.start()
        S3(server, f"http://127.0.0.1:{self.port}").bucket("trail")
        archive.circuit.close()
        return server


@pytest.fixture
def storage(settings: Settings, kept: Path) -> Storage:
    """Nothing is there yet."""
    skip_if_forbidden()
    server = Storage(any_free())
    settings.ARCHIVE_URL = "s3://trail/archive"
    settings.ARCHIVE_ENDPOINT = f"http://127.0.0.1:{server.port}"
    settings.ARCHIVE_REGION, settings.ARCHIVE_ALLOW_HTTP = "us-east-1", True
    settings.ARCHIVE_ACCESS_KEY_ID, settings.ARCHIVE_SECRET_ACCESS_KEY = "key", "secret"
    settings.ARCHIVE_TIMEOUT_SECONDS = 2
    return server


def test_what_ends_while_storage_is_away_is_archived_when_it_is_back(
    source: ScriptedSource, read: Reading, storage: Storage
) -> None:
    source.pages = [
        [
            look("pushed", Status.FAILED, document=b'{"pushed": 1}'),
            look("fetched", Status.SUCCEEDED, needs_history=True),
        ]
    ]
    source.histories = {"fetched": history(3, b'{"fetched": 1}')}
    read()
    runs = {run.external_id: run for run in JobRun.objects.all()}
    assert {run.archive for run in runs.values()} == {ArchiveState.DUE}
    assert runs["fetched"].event_count == 3
    assert archived_document(runs["pushed"]).data == b'{"pushed": 1}'
    server = storage.up()
    try:
        archive_documents(now=timezone.now())
        for name in runs:
            run = JobRun.objects.get(external_id=name)
            assert run.archive == ArchiveState.STORED
            assert archived_document(run).data == f'{{"{name}": 1}}'.encode()
        assert not JobDocument.objects.exists()
    finally:
        server.stop()
