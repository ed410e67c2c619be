"""Documents in the archive: found, checked, kept until they can be stored, removed in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from console.access.models import User
from console.audit.services import Actor
from console.errors import DomainError, Refused, Unreachable
from observability.engines.contracts import Status
from observability.jobs.models import ArchiveState, JobDocument, JobEvent, JobRun
from observability.jobs.services import archive, archive_due, retention
from quotas.plans.services.plans import create_plan
from quotas.plans.services.subscriptions import subscribe
from tests.object_storage import s3
from tests.observability.jobs.factories import (
    NOON,
    after,
    make_events,
    make_run,
    make_target,
    make_tenant,
    retried,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, settings: Settings) -> Path:
    settings.ARCHIVE_URL = (tmp_path / "archive").as_uri()
    archive.circuit.close()
    return tmp_path / "archive"


def stored(run: JobRun, data: bytes = b'{"a": 1}') -> JobRun:
    packed = archive.pack(data, "application/json")
    path = archive.object_path_of(run, target=run.target.slug, sha256=packed.sha256)
    archive.put(path, packed.body)
    JobRun.objects.filter(pk=run.pk).update(archive=ArchiveState.DUE)
    archive.record_stored(run=run, packed=packed, path=path, now=NOON)
    run.refresh_from_db()
    return run


def test_a_document_comes_back_as_it_was() -> None:
    run = stored(make_run())
    assert archive.archived_document(run) == archive.Document(b'{"a": 1}', "application/json")
    assert run.archive_path.startswith("temporal/engine/2026/11/22/")


def test_a_document_that_was_tampered_with_is_refused(kept: Path) -> None:
    run = stored(make_run())
    (kept / run.archive_path).write_bytes(archive.pack(b'{"a": 2}', "x").body)
    with pytest.raises(DomainError) as raised:
        archive.archived_document(run)
    assert raised.value.code == "archive_damaged"
    (kept / run.archive_path).write_bytes(b"no zstandard at all")
    with pytest.raises(DomainError, match="hash differs"):
        archive.archived_document(run)


def test_a_document_that_is_gone_or_never_was_is_not_found(kept: Path) -> None:
    run = stored(make_run())
    (kept / run.archive_path).unlink()
    with pytest.raises(DomainError) as raised:
        archive.archived_document(run)
    assert (raised.value.code, raised.value.status) == ("archive_missing", 404)
    with pytest.raises(DomainError) as raised:
        archive.archived_document(make_run())
    assert raised.value.code == "not_archived"


def test_a_waiting_document_is_served_and_then_stored(kept: Path) -> None:
    run = make_run(archive=ArchiveState.DUE)
    archive.spool(run, archive.pack(b"pushed", "application/json")).save()
    assert archive.archived_document(run).data == b"pushed"
    assert archive_due.archive_documents(now=NOON) == 1
    run.refresh_from_db()
    assert run.archive == ArchiveState.STORED
    assert not JobDocument.objects.exists()
    assert archive.archived_document(run).data == b"pushed"


def test_nothing_is_lost_while_object_storage_is_away(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(archive=ArchiveState.DUE)
    archive.spool(run, archive.pack(b"pushed", "application/json")).save()

    def away(*_: Any) -> None:
        raise Unreachable("object storage is away")

    with monkeypatch.context() as broken:
        broken.setattr(archive.storage(), "put", away)
        with pytest.raises(Unreachable):
            archive_due.archive_documents(now=NOON)
        with pytest.raises(Unreachable, match="a moment ago"):
            archive.put("x", b"")
    assert JobDocument.objects.filter(body__isnull=False).count() == 1
    archive.circuit.close()
    assert archive_due.archive_documents(now=NOON) == 1


def test_the_rows_of_a_celery_task_are_its_document() -> None:
    run = make_run(make_target("tasks", "celery"), archive=ArchiveState.DUE)
    make_events(run, retried())
    assert archive_due.archive_documents(now=NOON) == 1
    run.refresh_from_db()
    document = archive.archived_document(run)
    assert document.media == "application/json"
    assert b"PaymentDown: 503" in document.data


def test_documents_go_to_a_bucket_just_as_well(settings: Settings) -> None:
    with s3() as server:
        bucket = server.bucket("trail", "archive")
        settings.ARCHIVE_URL = bucket.url
        settings.ARCHIVE_ENDPOINT = bucket.options.endpoint
        settings.ARCHIVE_REGION = bucket.options.region
        settings.ARCHIVE_ALLOW_HTTP = True
        settings.ARCHIVE_ACCESS_KEY_ID = bucket.options.access_key.value
        settings.ARCHIVE_SECRET_ACCESS_KEY = bucket.options.secret_key.value
        run = stored(make_run())
        assert archive.archived_document(run).data == b'{"a": 1}'


def test_retention_removes_old_runs_with_all_that_is_theirs(kept: Path) -> None:
    old, young, still_open = (
        stored(make_run(closed_at=after(-100 * 86400), created_at=after(-101 * 86400))),
        stored(make_run()),
        make_run(status=Status.RUNNING, created_at=after(-200 * 86400)),
    )
    make_events(old, retried())
    JobDocument.objects.create(run=old, sha256="0", media="x", size=1, path="earlier/one.zst")
    archive.put("earlier/one.zst", b"x")
    assert retention.apply(now=after(120)) == 1
    assert set(JobRun.objects.values_list("pk", flat=True)) == {young.pk, still_open.pk}
    assert not JobEvent.objects.exists()
    left = {path.relative_to(kept).as_posix() for path in kept.rglob("*.zst")}
    assert left == {young.archive_path}


def test_few_runs_with_many_events_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "EVENTS", 100)
    removed: list[int] = []
    remove = retention._remove

    def counted(runs: Sequence[JobRun]) -> tuple[int, bool]:
        removed.append(len(runs))
        return remove(runs)

    monkeypatch.setattr(retention, "_remove", counted)
    for events in (60, 60, 30, 300, 1):
        make_run(closed_at=after(-100 * 86400), event_count=events)
    assert retention.apply(now=NOON) == 5
    assert len(removed) > 1
    assert not JobRun.objects.exists()


def test_a_target_may_keep_its_runs_for_less_long() -> None:
    target = make_target(options={"trail_retention_days": 7})
    make_run(target, closed_at=after(-8 * 86400))
    make_run(target, closed_at=after(-6 * 86400))
    assert retention.apply(now=NOON) == 1


def test_what_the_plan_says_beats_the_target() -> None:
    acme = make_tenant()
    alice = Actor.person(User.objects.create_user("alice"))
    common: dict[str, Any] = {"actor": alice, "reason": "a test", "at": NOON - timedelta(hours=1)}
    version = create_plan(
        slug="short", name="Short", limits={"trail.retentionSeconds": 86400}, **common
    )
    subscribe(tenants=[acme], version=version, **common)
    target = make_target(options={"trail_retention_days": 7})
    make_run(target, tenant=acme, closed_at=after(-2 * 86400))
    kept_run = make_run(target, closed_at=after(-2 * 86400))
    assert retention.apply(now=NOON) == 1
    assert JobRun.objects.get() == kept_run


def test_tenants_with_one_plan_cost_one_look_at_each_target(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    alice = Actor.person(User.objects.create_user("alice"))
    common: dict[str, Any] = {"actor": alice, "reason": "a test", "at": NOON - timedelta(hours=1)}
    limits = {"trail.retentionSeconds": 86400}
    version = create_plan(slug="short", name="Short", limits=limits, **common)
    tenants = [make_tenant(f"tenant-{number}") for number in range(40)]
    subscribe(tenants=tenants, version=version, **common)
    target = make_target()
    for tenant in tenants:
        make_run(target, tenant=tenant, closed_at=after(-2 * 86400))
    with django_assert_max_num_queries(30):
        assert retention.apply(now=NOON) == len(tenants)


def test_runs_stay_while_their_documents_cannot_be_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored(make_run(closed_at=after(-100 * 86400)))

    def away(*_: Any) -> None:
        raise Unreachable("object storage is away")

    monkeypatch.setattr(archive.storage(), "delete", away)
    assert retention.apply(now=NOON) == 0
    assert JobRun.objects.count() == 1


def test_a_run_whose_document_may_not_be_deleted_keeps_no_other_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    runs = [stored(make_run(closed_at=after(-(100 + age) * 86400))) for age in range(8, 0, -1)]
    held = {runs[number].archive_path for number in (0, 1, 2, 5)}
    delete = archive.storage().delete

    def hold(paths: list[str]) -> None:
        if held.intersection(paths):
            raise Refused("it is under a legal hold")
        delete(paths)

    monkeypatch.setattr(archive.storage(), "delete", hold)
    assert retention.apply(now=NOON) == 4
    assert set(JobRun.objects.values_list("archive_path", flat=True)) == held
    monkeypatch.setattr(archive.storage(), "delete", delete)
    assert retention.apply(now=NOON) == 4


def test_much_of_one_target_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    clock = count()
    ticking = SimpleNamespace(monotonic=lambda: float(next(clock)))
    monkeypatch.setattr("observability.jobs.services.retention.time", ticking)
    for slug, number in (("first", 60), ("second", 3)):
        target = make_target(slug)
        for _ in range(number):
            make_run(target, closed_at=after(-100 * 86400))
    retention.apply(now=NOON, seconds=40)  # clock: of the clock above
    left = Counter(JobRun.objects.values_list("target__slug", flat=True))
    assert left["second"] == 0
    assert left["first"] > 0
