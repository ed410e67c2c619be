"""The archive: engines' own records of closed runs in object storage, by the hash of their content.

An object is written before a row says so, and its path is made of its content: whatever is cut
short is simply done again. A document that its engine pushed (and will not give again) waits in a
JobDocument until it is stored.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import structlog
import zstandard
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from console.backoff import backoff
from console.clients.credentials import Secret
from console.clients.object_storage import ObjectStorage, StorageOptions
from console.errors import DomainError, ExternalError, NotFound, Unreachable
from observability.jobs.models import ArchiveState, JobDocument, JobRun

LEVEL: Final = 3
LARGEST: Final = 1024**3
"""Bytes that a document may have; what claims to be more is damaged."""
_COOL_DOWN: Final = 15.0
"""Seconds without a try after object storage could not be reached."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Document:
    """An engine's own record of a run, uncompressed, in the form that `media` names."""

    data: bytes
    media: str


@dataclass(frozen=True, slots=True)
class Packed:
    """A document ready to be stored. `size` is that of the document, `body` is compressed."""

    sha256: str
    media: str
    size: int
    body: bytes


def pack(data: bytes, media: str) -> Packed:
    """Compresses a document and names it by its content."""
    digest = hashlib.sha256(data).hexdigest()
    body = zstandard.ZstdCompressor(level=LEVEL).compress(data)
    return Packed(digest, media, len(data), body)


def object_path(
    *, engine: str, target: str, day: datetime, name: tuple[str, str], sha256: str
) -> str:
    """Where a run's document lies: ENGINE/TARGET/YYYY/MM/DD/SHA.RUN.zst by the day it ended. RUN is
    made of the run's name (its two ids), so that no two runs share an object: one goes without the
    other."""
    run = hashlib.sha256("\0".join(name).encode()).hexdigest()[:12]
    return f"{engine}/{target}/{day:%Y/%m/%d}/{sha256}.{run}.zst"


def object_path_of(run: JobRun, *, target: str, sha256: str) -> str:
    """The same for a row."""
    day = run.closed_at or run.created_at
    name = (run.external_id, run.run_id)
    return object_path(engine=run.engine, target=target, day=day, name=name, sha256=sha256)


def storage() -> ObjectStorage:
    """The object storage of the settings."""
    return _open_storage(
        settings.ARCHIVE_URL,
        StorageOptions(
            endpoint=settings.ARCHIVE_ENDPOINT,
            region=settings.ARCHIVE_REGION,
            allow_http=settings.ARCHIVE_ALLOW_HTTP,
            access_key=Secret(settings.ARCHIVE_ACCESS_KEY_ID),
            secret_key=Secret(settings.ARCHIVE_SECRET_ACCESS_KEY),
            timeout=float(settings.ARCHIVE_TIMEOUT_SECONDS),
        ),
    )


@lru_cache(maxsize=4)
def _open_storage(url: str, options: StorageOptions) -> ObjectStorage:
    return ObjectStorage(url, options)


class _CircuitBreaker:
    """After a failure nobody tries for a moment: each try would cost a timeout."""

    def __init__(self) -> None:
        self._open_until = 0.0

    def check(self) -> None:
        """Raises Unreachable while it is open."""
        if time.monotonic() < self._open_until:
            raise Unreachable("object storage could not be reached a moment ago")

    def open(self) -> None:
        """Lets nobody try for a while."""
        self._open_until = time.monotonic() + _COOL_DOWN

    def close(self) -> None:
        """Lets everybody try again."""
        self._open_until = 0.0


circuit = _CircuitBreaker()


def put(path: str, body: bytes) -> None:
    """Stores an object; the same one again changes nothing. Raises ExternalError."""
    circuit.check()
    try:
        storage().put(path, body)
    except ExternalError:
        circuit.open()
        raise
    circuit.close()


def record_stored(*, run: JobRun, packed: Packed, path: str, now: datetime) -> None:
    """Notes that a run's document is stored; one that it had before is kept beside it."""
    with transaction.atomic():
        keep_earlier([run], of={run.pk: packed.sha256})
        JobRun.objects.filter(pk=run.pk, archive=ArchiveState.DUE).update(
            **stored_columns(packed, path), updated_at=now
        )
        JobDocument.objects.filter(run=run, sha256=packed.sha256).delete()


def stored_columns(packed: Packed, path: str) -> dict[str, Any]:
    """The columns of a run whose document is in object storage."""
    return {
        "archive": ArchiveState.STORED,
        "archive_path": path,
        "archive_media": packed.media,
        "archive_sha256": packed.sha256,
        "archive_bytes": packed.size,
    }


def keep_earlier(runs: Iterable[JobRun], *, of: Mapping[int, str]) -> None:
    """Notes the documents of runs that get another one, whose hash is `of` their id, so that the
    earlier ones are found again."""
    JobDocument.objects.bulk_create(
        (
            JobDocument(
                run=run,
                sha256=run.archive_sha256,
                media=run.archive_media,
                size=run.archive_bytes or 0,
                path=run.archive_path,
            )
            for run in runs
            if run.archive_path and run.archive_sha256 != of[run.pk]
        ),
        ignore_conflicts=True,
    )


def spool(run: JobRun, packed: Packed) -> JobDocument:
    """The row that keeps a pushed document until object storage has it; save it with the run."""
    return JobDocument(
        run=run,
        sha256=packed.sha256,
        media=packed.media,
        size=packed.size,
        body=packed.body,
    )


def archived_document(run: JobRun) -> Document:
    """The archived record of a run, checked against its hash.

    Raises DomainError `not_archived`, `archive_damaged` or `archive_missing` (404), and
    ExternalError when object storage cannot be used.
    """
    spooled = run.documents.filter(body__isnull=False).order_by("-pk").first()
    if spooled is not None and spooled.body is not None:
        return _unpacked(bytes(spooled.body), spooled.sha256, spooled.media)
    if run.archive != ArchiveState.STORED or not run.archive_path:
        raise DomainError(
            "not_archived",
            f"There is no archived record of this run: {run.get_archive_display().lower()}.",
            status=404,
        )
    try:
        body = storage().get(run.archive_path)
    except NotFound as error:
        raise DomainError(
            "archive_missing",
            "The archived record of this run is gone from object storage.",
            status=404,
        ) from error
    return _unpacked(body, run.archive_sha256, run.archive_media)


def _unpacked(body: bytes, sha256: str, media: str) -> Document:
    try:
        if zstandard.frame_content_size(body) > LARGEST:
            raise zstandard.ZstdError("larger than any document")
        data = zstandard.ZstdDecompressor().decompress(body, max_output_size=LARGEST)
    except zstandard.ZstdError:
        data = b""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DomainError(
            "archive_damaged",
            "The archived record of this run is not what was stored: its hash differs.",
            status=500,
        )
    return Document(data, media)


def due_condition(now: datetime, target_id: int | None = None) -> Q:
    """Runs whose document is to be stored, and that no history is awaited for."""
    may_be_tried = Q(history_not_before__isnull=True) | Q(history_not_before__lte=now)
    condition = Q(archive=ArchiveState.DUE, history_due=False) & may_be_tried
    return condition if target_id is None else condition & Q(target_id=target_id)


def postpone(run: JobRun, *, now: datetime, why: str) -> None:
    """Tries a run again later after a failed try, the later the more there were."""
    tries = min(run.history_tries + 1, 30)
    JobRun.objects.filter(pk=run.pk).update(
        history_tries=tries,
        history_error=why[:500],
        history_not_before=now + retry_delay(tries),
    )


def retry_delay(tries: int) -> timedelta:
    """How long to wait after so many failed tries: 4 s, 8 s, … an hour."""
    return timedelta(seconds=backoff(tries, first=4, longest=3600))
