"""Hooks, exit handlers and daemons are told as what they are, and so is a deletion that is held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from observability.engines.argo.runs import run_of
from observability.engines.argo.state import WorkflowSnapshot, flags_of
from observability.engines.contracts import (
    DELETION,
    STATUS_TIMES,
    EventKind,
    FailureKind,
    RunSnapshot,
    Status,
)
from observability.engines.times import OLDER
from tests.observability.engines.argo.recorded import EXIT, OOM, node, nodes, workflow

NOW = datetime(2026, 11, 22, 10, 6, tzinfo=UTC)
ATTEMPTS = {
    EventKind.ATTEMPT_STARTED,
    EventKind.ATTEMPT_FAILED,
    EventKind.ATTEMPT_TIMED_OUT,
}
LATER = "2026-11-22T10:05:05Z"
STOPPED = "main: Error (exit code 143)"


def run(manifest: dict[str, Any], **more: Any) -> RunSnapshot:
    """The run of an object."""
    return run_of(WorkflowSnapshot(manifest, **more), more.pop("now", NOW))


def attempts_at(run: RunSnapshot) -> set[str]:
    """The steps at which something was attempted."""
    return {event.step_name for event in run.events if event.kind in ATTEMPTS}


def kinds_of(run: RunSnapshot, step: str) -> list[EventKind]:
    """What happened to a step."""
    return [event.kind for event in run.events if event.step_name == step]


def handler(name: str, phase: str = "Failed", **more: Any) -> dict[str, Any]:
    """A node that the controller began for a hook or an exit handler."""
    made = node(name, "Pod", phase, message=EXIT, finishedAt=LATER, **more)
    return {**made, "name": f"wf.{name}", "boundaryID": more.get("boundaryID", "")}


@pytest.mark.parametrize("flag", [{"nodeFlag": {"hooked": True}}, {}], ids=["flagged", "by name"])
def test_an_exit_handler_is_no_attempt_and_not_the_cause(flag: dict[str, Any]) -> None:
    tree = nodes(
        node("wf", "Steps", "Failed"),
        node("work", "Pod", "Failed", message=OOM),
        {
            **handler("onExit", **flag),
            "type": "Retry",
            "children": ["onExit(0)", "onExit(1)", "onExit(2)"],
        },
        *(handler(f"onExit({number})") for number in range(3)),
    )
    snapshot = run(workflow("Failed", "child 'work' failed", tree))
    assert snapshot.attempts == 1
    assert attempts_at(snapshot) == {"work"}
    assert snapshot.failure_kind is FailureKind.OUT_OF_MEMORY
    assert snapshot.failure.startswith("work: main: OOMKilled")
    assert kinds_of(snapshot, "onExit(0)") == [EventKind.STARTED, EventKind.FAILED]
    ended = [event for event in snapshot.events if event.step_name == "onExit(2)"][-1]
    assert ended.detail["hook"] is True


def test_an_exit_handler_that_alone_failed_is_the_cause() -> None:
    tree = nodes(node("wf", "Steps", "Succeeded"), node("work"), handler("onExit"))
    snapshot = run(workflow("Failed", "error in exit handler", tree))
    assert snapshot.failure == f"onExit: {EXIT} · error in exit handler"
    assert snapshot.attempts == 1


def test_a_hook_of_a_step_and_what_it_begins_are_no_attempts() -> None:
    hook = {
        **handler("work.hooks.running", "Succeeded", boundaryID="wf"),
        "type": "Steps",
        "children": ["work.hooks.running[0].tell"],
    }
    inside = handler("work.hooks.running[0].tell", "Failed", boundaryID="work.hooks.running")
    tree = nodes(node("wf", "Steps", "Succeeded"), node("work"), hook, inside)
    snapshot = run(workflow("Succeeded", "", tree))
    assert attempts_at(snapshot) == {"work"}
    assert kinds_of(snapshot, "work.hooks.running[0].tell") == [EventKind.STARTED, EventKind.FAILED]


def test_a_step_that_is_only_called_like_a_handler_is_one() -> None:
    """`onExit` as a task inside a template lies in it, an exit handler beside it."""
    group = node("group", "DAG", "Failed")
    task = node("group.onExit", "Pod", "Failed", message=EXIT, boundaryID="group")
    snapshot = run(
        workflow("Failed", "child failed", nodes(node("wf", "DAG", "Failed"), group, task))
    )
    assert attempts_at(snapshot) == {"group.onExit"}


def daemon(phase: str, message: str, finished: str = LATER, **more: Any) -> dict[str, Any]:
    """A daemon, whose template says so."""
    return node(
        "redis", "Pod", phase, message=message, finishedAt=finished, templateName="redis", **more
    )


TEMPLATES = {"templates": [{"name": "main"}, {"name": "redis", "daemon": True}]}


@pytest.mark.parametrize("message", [STOPPED, "main: Error (exit code 137)", "pod deleted", ""])
def test_a_daemon_that_was_stopped_did_not_fail(message: str) -> None:
    tree = nodes(
        node("wf", "Steps", "Failed"),
        daemon("Failed", message),
        node("work", "Pod", "Failed", message=EXIT),
    )
    snapshot = run(workflow("Failed", "child 'work' failed", tree, spec=TEMPLATES))
    assert snapshot.failure.startswith(f"work: {EXIT}")
    assert kinds_of(snapshot, "redis") == [EventKind.ATTEMPT_STARTED, EventKind.STEP_COMPLETED]
    ended = [event for event in snapshot.events if event.step_name == "redis"][-1]
    assert ended.title == "redis was stopped, as nothing needed it any more"
    assert ended.detail["failure"] == ""


@pytest.mark.parametrize(
    ("message", "finished"),
    [
        (EXIT, LATER),  # its own fault, whenever
        (OOM, LATER),
        ("pod deleted", "2026-11-22T10:02:00Z"),  # while it was needed
        (STOPPED, "2026-11-22T10:02:00Z"),
    ],
)
def test_a_daemon_that_went_by_itself_has_failed(message: str, finished: str) -> None:
    tree = nodes(node("wf", "Steps", "Failed"), daemon("Failed", message, finished, daemoned=True))
    snapshot = run(workflow("Failed", "child 'redis' failed", tree, spec=TEMPLATES))
    assert kinds_of(snapshot, "redis")[-1] is EventKind.ATTEMPT_FAILED


@pytest.mark.parametrize(
    ("beside", "status"),
    [
        ([], Status.PAUSED),
        ([node("work", "Pod", "Running")], Status.RUNNING),
        ([node("work", "Pod", "Pending")], Status.RUNNING),
    ],
)
def test_a_run_that_waits_to_be_resumed_is_paused_whatever_daemon_runs(
    beside: list[dict[str, Any]], status: Status
) -> None:
    approve = node("approve", "Suspend", "Running")
    for redis in ({"daemoned": True}, {"templateName": "redis"}):
        pod = {**node("redis", "Pod", "Running"), **redis}
        tree = nodes(node("wf", "DAG", "Running"), pod, approve, *beside)
        assert run(workflow("Running", "", tree, spec=TEMPLATES)).status is status


def test_a_run_that_only_has_a_daemon_left_is_running() -> None:
    pod = node("redis", "Pod", "Running", daemoned=True)
    tree = nodes(node("wf", "DAG", "Running"), pod)
    assert run(workflow("Running", "", tree)).status is Status.RUNNING


def stuck(**more: Any) -> dict[str, Any]:
    """The workflow of the bug report: artifacts cannot be removed, so its finalizer stays."""
    manifest = workflow(
        "Failed",
        EXIT,
        spec={"ttlStrategy": {"secondsAfterCompletion": 10}},
        startedAt="2026-11-22T10:00:05Z",
        finishedAt="2026-11-22T10:01:00Z",
        conditions=[
            {"type": "ArtifactGCError", "status": "True", "message": "bucket does not exist"}
        ],
    )
    manifest["metadata"] |= {"finalizers": ["workflows.argoproj.io/artifact-gc"], **more}
    return manifest


def test_a_deletion_that_is_held_names_what_holds_it_and_why() -> None:
    snapshot = run(stuck(deletionTimestamp="2026-11-22T10:02:00Z"))
    assert snapshot.status is Status.FAILED
    assert snapshot.cleaned_at is None
    titles = [event.title for event in snapshot.events if event.kind is EventKind.CLEANUP]
    assert titles == ["Deletion asked for, held"]  # in place of "Clean-up overdue"
    deletion = next(event for event in snapshot.events if event.kind is EventKind.CLEANUP)
    assert deletion.message == (
        "Deletion asked at 2026-11-22 10:02:00 UTC, held by finalizer"
        " workflows.argoproj.io/artifact-gc: bucket does not exist."
    )
    assert snapshot.attributes[DELETION] == {
        "asked_at": "2026-11-22T10:02:00+00:00",
        "finalizers": ["workflows.argoproj.io/artifact-gc"],
        "reason": "bucket does not exist",
    }


def test_what_nobody_asked_to_delete_is_overdue_as_before() -> None:
    snapshot = run(stuck())
    titles = [event.title for event in snapshot.events if event.kind is EventKind.CLEANUP]
    assert titles == ["Clean-up overdue"]
    assert DELETION not in snapshot.attributes


def test_what_was_held_is_gone_when_it_goes_not_when_it_was_asked() -> None:
    deleted_at = "2026-11-22T10:02:00Z"
    held = run(stuck(deletionTimestamp=deleted_at))
    assert "h" in flags_of(held.revision)
    gone = run(
        stuck(deletionTimestamp=deleted_at, finalizers=[]), before=held.revision, deleted=True
    )
    assert gone.cleaned_at == NOW
    at_once = run(stuck(deletionTimestamp=deleted_at, finalizers=[]), deleted=True)
    assert at_once.cleaned_at == datetime(2026, 11, 22, 10, 2, tzinfo=UTC)


def test_a_status_older_than_its_object_makes_no_negative_time() -> None:
    manifest = workflow("Succeeded", "", nodes(node("wf", "Steps"), node("work")))
    manifest["metadata"]["creationTimestamp"] = "2026-11-22T11:15:00Z"  # restored from a backup
    snapshot = run_of(WorkflowSnapshot(manifest), NOW + timedelta(hours=2))
    assert snapshot.closed_at is not None
    assert snapshot.closed_at >= snapshot.created_at
    assert snapshot.attributes[STATUS_TIMES] == OLDER
    assert OLDER in [event.title for event in snapshot.events]
