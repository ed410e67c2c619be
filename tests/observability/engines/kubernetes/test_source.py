"""Jobs are read as they happen, without loss and without doubles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from console.clients import pool
from console.errors import NotFound, Unreachable
from observability.engines.contracts import (
    DELETION,
    EventKind,
    FailureKind,
    RunRef,
    Status,
)
from observability.engines.kubernetes.source import KubernetesSource
from tests.observability.engines.clusters import Site, emulated
from tests.observability.engines.memory_reader import Reader, Store
from tests.waiting import until

FAST = {"starts-after": "100ms", "runs-for": "300ms"}


def reader(site: Site) -> Reader:
    """The source on a site."""
    return Reader(KubernetesSource(), site.target("kubernetes"), [site.namespace])


def ended(*names: str) -> Callable[[Store], object]:
    """A test of whether runs have ended."""
    return lambda store: all(
        store.named(name) and store.named(name)[-1].closed_at for name in names
    )


def test_jobs_end_as_they_ended(site: Site) -> None:
    site.limit("1")
    site.job("good", notes=FAST, labels={"headroom.dev/tenant": "acme", "app": "report"})
    site.job("oom", notes={**FAST, "ends": "oom"}, backoffLimit=0)
    site.job("bad", notes={**FAST, "ends": "error"}, backoffLimit=0)
    site.job("late", notes={**FAST, "runs-for": "60s"}, activeDeadlineSeconds=2)
    site.job("denied", cpu="2", notes=FAST)
    store = reader(site).until(
        lambda store: (
            ended("good", "oom", "bad", "late")(store)
            and store.named("denied")[-1].attributes.get("denials")
        )
    )
    good, oom, bad, late, denied = (
        store.named(name)[-1] for name in ("good", "oom", "bad", "late", "denied")
    )
    assert (good.status, good.type, good.tenant) == (Status.SUCCEEDED, "report", "acme")
    assert (oom.status, oom.failure_kind) == (Status.FAILED, FailureKind.OUT_OF_MEMORY)
    assert (bad.status, bad.failure_kind) == (Status.FAILED, FailureKind.APPLICATION)
    assert "exit code 1" in bad.failure
    assert (late.status, late.failure_kind) == (Status.TIMED_OUT, FailureKind.DEADLINE)
    assert (denied.status, denied.closed_at) == (Status.WAITING, None)
    assert set(orjson.loads(store.documents[("oom", oom.run_id)])) == {"job", "pods", "events"}


def test_the_events_of_a_job_tell_its_story_once(site: Site) -> None:
    site.limit("1")
    site.job("denied", cpu="2", notes=FAST)
    site.job("good", notes={**FAST, "checkpoint": "3/10"}, ttlSecondsAfterFinished=1)
    store = reader(site).until(
        lambda store: (
            store.named("good")
            and store.named("good")[-1].cleaned_at
            and store.named("denied")[-1].attributes.get("denials", {}).get("count", 0) > 2
        )
    )
    refused = [event for event in store.events_of("denied") if event.kind is EventKind.DENIED]
    assert len(refused) == 1
    assert refused[0].detail["requested"] == {"requests.cpu": "2"}
    assert refused[0].detail["limited"] == {"requests.cpu": "1"}
    keys = store.keys_of("good")
    once = ("created", "started", "attempt_started", "step_completed", "succeeded")
    assert {kind: keys.count(kind) for kind in once} == dict.fromkeys(once, 1)
    assert keys[-1] == "cleanup"
    # Its removal waits for that of its pods, which may be seen on its way.
    cleanups = [event for event in store.events_of("good") if event.kind is EventKind.CLEANUP]
    done = [event.title for event in cleanups if not event.title.startswith("Deletion asked for")]
    assert done == ["Removed itself as planned"]
    progress = store.named("good")[-1].progress
    assert progress is not None
    assert (progress.done, progress.total) == (3, 10)


def test_pods_are_attempts(site: Site) -> None:
    site.job("again", notes={**FAST, "ends": "error"}, backoffLimit=1)
    store = reader(site).until(ended("again"))
    run = store.named("again")[-1]
    failed = [event for event in store.events_of("again") if event.kind is EventKind.ATTEMPT_FAILED]
    assert [event.attempt for event in failed] == [1, 2]
    assert [event.detail["exit_code"] for event in failed] == [1, 1]
    assert run.attempts == 2


def test_a_job_is_suspended_resumed_and_deleted(site: Site) -> None:
    site.job("held", notes={**FAST, "runs-for": "60s"}, suspend=True)
    read = reader(site)
    read.until(lambda store: store.named("held") and store.named("held")[-1].status == "paused")
    spec = {"spec": {"suspend": False}}
    site.client.patch_merge("Job", "held", spec, namespace=site.namespace)
    read.until(lambda store: store.named("held")[-1].status == "running")
    site.client.delete("Job", "held", namespace=site.namespace)
    store = read.until(ended("held"))
    assert store.named("held")[-1].status is Status.DELETED
    assert store.keys_of("held")[-1] == "deleted"


def test_a_deletion_that_a_finalizer_holds_is_told_until_it_is_done(site: Site) -> None:
    site.job("stuck", notes=FAST)
    read = reader(site)
    read.until(ended("stuck"))
    finalizer = "billing.example.com/invoice"
    _finalizers(site, "stuck", [finalizer])
    site.client.delete("Job", "stuck", namespace=site.namespace)
    store = read.until(lambda store: _holders(store, "stuck") == [finalizer])
    assert store.named("stuck")[-1].cleaned_at is None
    events = [event for event in store.events_of("stuck") if event.kind is EventKind.CLEANUP]
    assert events[-1].title == "Deletion asked for, held"
    assert f"held by finalizer {finalizer}" in events[-1].message
    _finalizers(site, "stuck", None)
    read.until(lambda store: store.named("stuck")[-1].cleaned_at)


def _finalizers(site: Site, name: str, finalizers: list[str] | None) -> None:
    patch = {"metadata": {"finalizers": finalizers}}
    site.client.patch_merge("Job", name, patch, namespace=site.namespace)


def _holders(store: Store, name: str) -> object:
    return store.named(name)[-1].attributes.get(DELETION, {}).get("finalizers")


def test_reading_again_tells_nothing_twice(site: Site) -> None:
    for number in range(3):
        site.job(f"good-{number}", notes=FAST)
    names = [f"good-{number}" for number in range(3)]
    read = reader(site)
    store = read.until(ended(*names))
    until(lambda: _is_quiet(read))  # what controllers write behind an end may come later
    before = set(store.events)
    runs = dict(store.runs)
    fresh = Reader(read.source, read.target, read.namespaces, Store(dict(runs)))
    assert fresh.read().runs == runs  # a list anew, with nothing changed: no run is given
    assert not fresh.store.events
    everything = Reader(read.source, read.target, read.namespaces)
    assert set(everything.read().events) <= before


def test_what_went_while_nobody_looked_is_told(site: Site) -> None:
    site.job("lost", notes={**FAST, "runs-for": "60s"})
    site.job("done", notes=FAST, ttlSecondsAfterFinished=3600)
    read = reader(site)
    read.until(ended("done"))
    for name in ("lost", "done"):
        site.client.delete("Job", name, namespace=site.namespace)
        _until_gone(site, name)
    read.store.cursor = {}
    store = read.read(now=datetime.now(UTC) + timedelta(hours=2))
    assert store.named("lost")[-1].status is Status.DELETED
    assert store.named("done")[-1].cleaned_at is not None
    assert store.named("done")[-1].status is Status.SUCCEEDED


def test_a_clean_up_that_does_not_happen_is_overdue(site: Site) -> None:
    site.job("stays", notes=FAST, ttlSecondsAfterFinished=3600)
    read = reader(site)
    read.until(ended("stays"))
    for hours in (2, 3):
        store = read.read(now=datetime.now(UTC) + timedelta(hours=hours))
    keys = [event.key for event in store.events_of("stays") if event.kind is EventKind.CLEANUP]
    assert keys == ["overdue"]
    assert store.named("stays")[-1].cleaned_at is None


def _is_quiet(read: Reader) -> bool:
    """Whether nothing has come for a while."""
    before = (dict(read.store.runs), set(read.store.events))
    read.read(wait=2.0)  # clock: then again
    return before == (read.store.runs, set(read.store.events))


def _until_gone(site: Site, name: str) -> None:
    until(lambda: _is_gone(site, name), f"{name} stays")


def _is_gone(site: Site, name: str) -> bool:
    try:
        site.client.get("Job", name, namespace=site.namespace)
    except NotFound:
        return True
    return False


def test_one_job_is_fetched_with_its_events_and_document(site: Site) -> None:
    uid = site.job("good", notes=FAST)
    read = reader(site)
    run = read.until(ended("good")).named("good")[-1]
    ref = RunRef(1, "good", uid, site.namespace, run.status, run.revision, run.created_at)
    history = read.source.history(target=read.target, run=ref, after=0)
    assert history.complete
    assert {event.key for event in run.events} == {event.key for event in history.events}
    other = RunRef(1, "good", "other", site.namespace, run.status, "", run.created_at)
    with pytest.raises(NotFound):
        read.source.history(target=read.target, run=other, after=0)


def test_a_forgotten_past_is_a_gap_and_nothing_is_lost(tmp_path: Path) -> None:
    with emulated(tmp_path) as (emulator, site):
        site.job("before", notes=FAST)
        read = reader(site)
        read.until(ended("before"))
        site.job("meanwhile", notes=FAST)
        emulator.compact()
        store = read.until(ended("meanwhile"))
        assert len(store.gaps) == 1
        keys = store.keys_of("before")
        assert keys.count("succeeded") == 1


def test_a_server_that_is_away_is_an_error_and_reading_goes_on_after(tmp_path: Path) -> None:
    with emulated(tmp_path) as (emulator, site):
        site.job("one", notes=FAST)
        read = reader(site)
        read.until(ended("one"))
        emulator.stop()
        pool.close_all()
        with pytest.raises(Unreachable):
            read.read()
        emulator.start()
        site.job("two", notes=FAST)
        store = read.until(ended("two"))
        assert store.keys_of("one").count("succeeded") == 1


def test_a_pass_costs_few_requests(tmp_path: Path) -> None:
    with emulated(tmp_path) as (emulator, site):
        for number in range(30):
            site.job(f"job-{number:02}", notes=FAST)
        read = reader(site)
        read.until(ended(*(f"job-{n:02}" for n in range(30))))
        emulator.requests.clear()
        Reader(read.source, read.target, read.namespaces).read()
        assert sum(emulator.requests.values()) <= 6  # three lists, three watches


def test_namespaces_of_nobody_are_not_read(tmp_path: Path) -> None:
    with emulated(tmp_path) as (_, site):
        site.job("mine", notes=FAST)
        read = Reader(KubernetesSource(), site.target("kubernetes"), ["elsewhere"])
        assert read.read().runs == {}
