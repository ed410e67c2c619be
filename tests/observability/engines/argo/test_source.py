"""Workflows are read as they happen, and what a retry by hand overwrites stays in the trail."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from console.errors import NotFound, Refused
from observability.engines.argo.runs import run_of
from observability.engines.argo.source import ArgoSource
from observability.engines.argo.state import WorkflowSnapshot
from observability.engines.contracts import DELETION, EventKind, RunRef, RunSnapshot, Status
from tests.observability.engines.argo.recorded import (
    EXIT,
    FINISHED,
    P,
    node,
    nodes,
    one,
    workflow,
)
from tests.observability.engines.clusters import Site, emulated
from tests.observability.engines.memory_reader import Reader
from tests.waiting import PATIENCE

LATER, LATER_END = "2026-11-22T11:00:00Z", "2026-11-22T11:05:00Z"


def reader(site: Site, **options: Any) -> Reader:
    """The source on a site."""
    return Reader(ArgoSource(), site.target("argo", **options), [site.namespace])


def status(phase: str, message: str = "", steps: Any = None, **more: Any) -> dict[str, Any]:
    """A status as recorded."""
    content: dict[str, Any] = workflow(phase, message, steps, **more)["status"]
    return content


def test_a_workflow_is_read_from_its_creation_to_its_clean_up(site: Site) -> None:
    site.workflow("wf", spec={"ttlStrategy": {"secondsAfterCompletion": 10**10}})
    read = reader(site)
    assert read.read().named("wf")[0].status is Status.WAITING
    site.put_status("wf", **status("Running", "", one("Running", "")))
    assert read.read().named("wf")[0].status is Status.RUNNING
    site.put_status("wf", **status("Succeeded", "", one("Succeeded", "")))
    run = read.read().named("wf")[0]
    assert run.status is Status.SUCCEEDED
    assert orjson.loads(read.store.documents[("wf", run.run_id)])["kind"] == "Workflow"
    site.client.delete("Workflow", "wf", namespace=site.namespace)
    store = read.until(lambda store: store.named("wf")[0].cleaned_at)
    keys = store.keys_of("wf")
    once = ("started", "attempt_started", "step_completed", "succeeded", "cleanup")
    assert {kind: keys.count(kind) for kind in once} == dict.fromkeys(once, 1)
    assert store.named("wf")[0].status is Status.SUCCEEDED


def retry(site: Site) -> None:
    """What the Argo server writes on a retry by hand: the same object begins anew."""
    labels = {f"{P}completed": None, f"{P}action": "Retry", f"{P}actor-email": "bob.at.example"}
    patch = {
        "metadata": {"labels": labels},
        "status": {"phase": "", "message": "", "startedAt": LATER, "finishedAt": None},
    }
    site.client.patch_merge("Workflow", "wf", patch, namespace=site.namespace)


@pytest.mark.parametrize("looks", ["between", "after"])
def test_a_retry_by_hand_keeps_what_was_there(site: Site, looks: str) -> None:
    site.workflow("wf")
    read = reader(site)
    read.read()
    site.put_status("wf", **status("Failed", EXIT, one("Failed", EXIT)))
    if looks == "between":
        read.read()
    retry(site)
    if looks == "between":
        read.read()
    ended = status("Succeeded", "", one("Succeeded", ""), startedAt=LATER, finishedAt=LATER_END)
    site.put_status("wf", **ended)
    first, second = read.read().named("wf")
    assert (first.status, first.failure) == (Status.FAILED, EXIT)
    assert (second.run_id, second.status) == (f"{first.run_id}#1", Status.SUCCEEDED)
    assert second.parent.endswith(first.run_id)
    documents = read.store.documents
    assert orjson.loads(documents[("wf", first.run_id)])["status"]["phase"] == "Failed"
    assert orjson.loads(documents[("wf", second.run_id)])["status"]["phase"] == "Succeeded"
    keys = set(read.store.events)
    anew = Reader(read.source, read.target, read.namespaces, read.store)
    anew.store.cursor = {}
    assert set(anew.read().events) == keys


def test_an_end_that_nobody_saw_is_not_made_up(site: Site) -> None:
    site.workflow("wf")
    read = reader(site)
    site.put_status("wf", **status("Running", "", one("Running", "")))
    read.read()
    site.put_status("wf", **status("Failed", EXIT, one("Failed", EXIT)))
    retry(site)
    read.store.cursor = {}  # as after a gap: only what is there now can be read
    first, second = read.read().named("wf")
    assert (first.status, first.closed_at is None) == (Status.FAILED, False)
    assert "while it was not being read" in first.failure
    assert (second.run_id, second.status) == (f"{first.run_id}#1", Status.WAITING)


def test_a_run_deleted_unfinished_says_so(site: Site) -> None:
    site.workflow("wf")
    read = reader(site)
    site.put_status("wf", **status("Running", "", one("Running", "")))
    read.read()
    site.client.delete("Workflow", "wf", namespace=site.namespace)
    store = read.until(lambda store: store.named("wf")[0].closed_at)
    assert store.named("wf")[0].status is Status.DELETED
    assert store.keys_of("wf")[-1] == "deleted"


def test_an_object_of_a_megabyte_is_read_whole(site: Site) -> None:
    site.workflow("wf")
    read = reader(site)
    read.read()
    message = "x" * 700
    steps = nodes(
        node("wf", "DAG"), *(node(f"step-{number}", message=message) for number in range(900))
    )
    site.put_status("wf", **status("Running", "", steps))
    store = read.read()
    ended = [event for event in store.events_of("wf") if event.kind is EventKind.STEP_COMPLETED]
    assert len(ended) == 900


def test_one_workflow_is_fetched_unless_a_retry_overwrote_it(site: Site) -> None:
    site.workflow("wf")
    read = reader(site)
    site.put_status("wf", **status("Failed", EXIT, one("Failed", EXIT)))
    run = read.read().named("wf")[0]
    ref = RunRef(1, "wf", run.run_id, site.namespace, run.status, run.revision, run.created_at)
    history = read.source.history(target=read.target, run=ref, after=0)
    assert history.complete
    assert {event.key for event in history.events} == {event.key for event in run.events}
    retry(site)
    with pytest.raises(NotFound):
        read.source.history(target=read.target, run=ref, after=0)


def test_an_overdue_clean_up_is_told_once(site: Site) -> None:
    site.workflow("wf", spec={"ttlStrategy": {"secondsAfterCompletion": 10}})
    site.put_status("wf", **status("Succeeded", "", one("Succeeded", "")))
    read = reader(site)
    read.read(now=datetime.fromisoformat(FINISHED))
    for minutes in (5, 10):
        store = read.read(now=datetime.fromisoformat(FINISHED) + timedelta(minutes=minutes))
    keys = [event.key for event in store.events_of("wf") if event.kind is EventKind.CLEANUP]
    assert keys == ["overdue"]


def test_a_forgotten_past_is_a_gap_and_nothing_doubles(tmp_path: Path) -> None:
    with emulated(tmp_path) as (emulator, site):
        site.workflow("wf")
        site.put_status("wf", **status("Running", "", one("Running", "")))
        read = reader(site)
        read.read()
        site.put_status("wf", **status("Succeeded", "", one("Succeeded", "")))
        emulator.compact()
        store = read.read()
        assert len(store.gaps) == 1
        assert store.keys_of("wf").count("succeeded") == 1


def test_waiting_for_news_gives_signs_of_life_and_then_ends(tmp_path: Path) -> None:
    with emulated(tmp_path) as (_, site):
        read = reader(site)
        read.read()
        begun = time.monotonic()
        pages = list(  # clock: it ends by itself, after no less than that
            read.source.changes(
                target=read.target,
                placements=read.placements(),
                cursor=read.store.cursor,
                known=read.store,
                now=datetime.now(UTC),
                wait=3.0,
            )
        )
        assert 2.5 < time.monotonic() - begun < PATIENCE
        assert len(pages) >= 2
        assert all(page.caught_up and page.through for page in pages)


@pytest.mark.cluster
def test_a_cluster_without_argo_is_refused_in_words(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.clients.kubernetes import kinds

    absent = kinds.Kind("Workflow", "argoproj.io/v9", "workflows")
    monkeypatch.setattr(kinds, "KINDS", {**kinds.KINDS, "Workflow": absent})
    read = Reader(ArgoSource(), Site(kubeconfig, "acme").target("argo"), ["acme"])
    with pytest.raises(Refused, match="installed"):
        read.read()


def test_a_deletion_that_a_finalizer_holds_is_told_until_it_is_done(site: Site) -> None:
    made = site.workflow(
        "stuck",
        metadata={"finalizers": ["workflows.argoproj.io/artifact-gc"]},
        spec={"ttlStrategy": {"secondsAfterCompletion": 10}},
    )
    problem = {"type": "ArtifactGCError", "status": "True", "message": "bucket does not exist"}
    ended = made["metadata"]["creationTimestamp"]
    site.put_status("stuck", phase="Failed", finishedAt=ended, conditions=[problem])
    site.client.delete("Workflow", "stuck", namespace=site.namespace)
    read = reader(site)
    run = read.until(lambda store: store.named("stuck")[0].attributes.get(DELETION)).named("stuck")[
        0
    ]
    assert run.cleaned_at is None
    assert run.attributes[DELETION]["finalizers"] == ["workflows.argoproj.io/artifact-gc"]
    events = [event for event in read.store.events_of("stuck") if event.kind is EventKind.CLEANUP]
    assert [event.title for event in events] == ["Deletion asked for, held"]
    assert "held by finalizer workflows.argoproj.io/artifact-gc: bucket does not exist." in (
        events[0].message
    )
    free = {"metadata": {"finalizers": None}}
    site.client.patch_merge("Workflow", "stuck", free, namespace=site.namespace)
    read.until(lambda store: store.named("stuck")[0].cleaned_at)


def test_what_cannot_be_read_is_set_aside_and_its_neighbours_are_read(site: Site) -> None:
    read = reader(site)
    read.read()  # from here on it is watched
    for again in ("watched", "listed"):
        name = f"odd-{again}"
        site.workflow(name, spec={"templates": ["oops"]})
        nodes_of = {"a": "oops", "b": {"type": "Pod", "children": {"x": 1}, "startedAt": 5}}
        site.put_status(name, phase="Running", nodes=nodes_of)
        site.workflow(f"good-{again}")
        store = read.until(lambda memory, again=again: memory.named(f"good-{again}"))  # type: ignore[misc]  # of a default, no type is guessed
        problems = {item.name: item.problem for item in store.unreadable}
        assert problems[name] == (
            "spec.templates[0] is a text, not an object;"
            " status.nodes.a is a text, not an object;"
            " status.nodes.b.startedAt is a number, not a time; and 1 more"
        )
        assert store.named(name)[0].status is Status.RUNNING
        read = reader(site)  # and the other one of these by a list


def test_a_mistake_of_ours_costs_the_run_that_it_is_about(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        site.workflow(name)

    def stumbles(snapshot: WorkflowSnapshot, now: datetime) -> RunSnapshot:
        if snapshot.workflow["metadata"]["name"] == "b":
            raise KeyError("metadata")
        return run_of(snapshot, now)

    monkeypatch.setattr("observability.engines.argo.source.run_of", stumbles)
    store = reader(site).read()
    assert sorted(name for name, _ in store.runs) == ["a", "c"]
    (problem,) = store.unreadable
    assert (problem.kind, problem.location, problem.name) == ("Workflow", site.namespace, "b")
    assert problem.problem == "Unexpected KeyError: 'metadata'. The log has the traceback."
