"""Every ending and every wait of a Workflow reads as what it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from observability.engines.argo.runs import run_of
from observability.engines.argo.state import WorkflowSnapshot, is_retry_of
from observability.engines.contracts import (
    EventKind,
    FailureKind,
    LinkKind,
    RunSnapshot,
    Status,
)
from tests.observability.engines.argo.recorded import (
    EXIT,
    FINISHED,
    FLAVOURS,
    LOCK,
    LOCKED,
    OOM,
    POSTPONED,
    QUOTA,
    STARTED,
    UID,
    P,
    node,
    nodes,
    one,
    retried,
    workflow,
)

NOW = datetime(2026, 11, 22, 10, 6, tzinfo=UTC)
Case = tuple[dict[str, Any], Status, FailureKind]

ENDINGS: dict[str, tuple[str, str, dict[str, Any], Status, FailureKind]] = {
    "success": ("Succeeded", "", one("Succeeded", ""), Status.SUCCEEDED, FailureKind.NONE),
    "exit code": ("Failed", EXIT, one("Failed", EXIT), Status.FAILED, FailureKind.APPLICATION),
    "child failed": (
        *("Failed", "child 'work' failed", one("Failed", EXIT)),
        *(Status.FAILED, FailureKind.APPLICATION),
    ),
    "out of memory": (
        *("Failed", "child 'work' failed", one("Failed", OOM)),
        *(Status.FAILED, FailureKind.OUT_OF_MEMORY),
    ),
    "init failed": (
        *("Error", "init: Error (exit code 64)", one("Error", "init: Error (exit code 64)")),
        *(Status.FAILED, FailureKind.OTHER),
    ),
    "evicted": (
        *("Failed", "child 'work' failed"),
        one("Failed", "The node was low on resource: memory."),
        *(Status.FAILED, FailureKind.EVICTED),
    ),
    "kubelet deadline": (
        *("Failed", "child 'work' failed"),
        one("Failed", "Pod was active on the node longer than the specified deadline"),
        *(Status.TIMED_OUT, FailureKind.DEADLINE),
    ),
    "pod vanished": (
        *("Error", "child 'work' failed", one("Error", "pod deleted")),
        *(Status.FAILED, FailureKind.WORKER_LOST),
    ),
    "workflow deadline": (
        *("Failed", "Step exceeded its deadline", one("Failed", "Step exceeded its deadline")),
        *(Status.TIMED_OUT, FailureKind.DEADLINE),
    ),
    "template timeout": (
        *("Failed", "child 'work' failed", one("Failed", "timeout")),
        *(Status.FAILED, FailureKind.TIMEOUT),
    ),
    "refused for good": (
        *("Error", "step group deemed errored due to child work error"),
        one("Error", 'pods "wf-1" is forbidden: failed quota: q: must specify limits.cpu'),
        *(Status.FAILED, FailureKind.QUOTA),
    ),
    "beyond a LimitRange": (
        *("Error", "child 'work' errored"),
        one(
            "Error",
            'pods "wf-1" is forbidden: maximum cpu usage per Container is 1, but limit is 2',
        ),
        *(Status.FAILED, FailureKind.LIMIT_RANGE),
    ),
    "denied by a webhook": (
        *(
            "Error",
            'admission webhook "pods.example.com" denied the request: exceeded quota: no',
            {},
        ),
        *(Status.FAILED, FailureKind.WEBHOOK),
    ),
    "lock of limit zero": (
        *("Failed", "Failed to acquire the synchronization lock. failed to initialize", {}),
        *(Status.FAILED, FailureKind.QUOTA),
    ),
    "invalid": (
        *("Failed", "invalid spec: templates.main.steps[0] not found", {}),
        *(Status.FAILED, FailureKind.INVALID),
    ),
    "retries used up": (
        *("Failed", "No more retries left", one("Failed", EXIT)),
        *(Status.FAILED, FailureKind.APPLICATION),
    ),
    "terminated": (
        *("Failed", "Stopped with strategy 'Terminate'"),
        one("Failed", "workflow shutdown with strategy:  Terminate"),
        *(Status.TERMINATED, FailureKind.TERMINATED),
    ),
    "terminated while it waited for a lock, by an older release": (
        *("Succeeded", "Stopped with strategy 'Terminate'", {}),
        *(Status.TERMINATED, FailureKind.TERMINATED),
    ),
    "stopped": (
        *("Failed", "Stopped with strategy 'Stop'"),
        one("Failed", "workflow shutdown with strategy: Stop"),
        *(Status.CANCELLED, FailureKind.CANCELLED),
    ),
}


def seen(manifest: dict[str, Any], **more: Any) -> RunSnapshot:
    """The run of an object."""
    return run_of(WorkflowSnapshot(manifest, **more), NOW)


def kinds(run: RunSnapshot) -> list[EventKind]:
    """The kinds of its events, in order."""
    return [event.kind for event in run.events]


def test_the_step_that_failed_comes_before_that_a_child_failed() -> None:
    run = seen(workflow("Failed", "child 'work' failed", one("Failed", OOM)))
    assert run.failure.index(OOM) < run.failure.index("child 'work' failed")


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("name", ENDINGS)
def test_an_ending_reads_as_what_it_is(name: str, flavour: str) -> None:
    phase, message, steps, status, kind = ENDINGS[name]
    run = seen(workflow(phase, message, steps, flavour=flavour))
    assert (run.status, run.failure_kind) == (status, kind)
    assert run.closed_at == datetime.fromisoformat(FINISHED)
    assert run.began_at == datetime.fromisoformat(STARTED)
    assert run.document is not None
    assert [event.key for event in run.events].count("closed") == 1
    assert len({event.key for event in run.events}) == len(run.events)
    assert (run.failure == "") is (status is Status.SUCCEEDED)


WAITS: dict[str, tuple[str, str, dict[str, Any], EventKind, str]] = {
    "slot": ("Pending", POSTPONED, {}, EventKind.THROTTLED, "parallelism"),
    "lock": ("Pending", LOCKED, {}, EventKind.WAITING, f"lock:{LOCK}"),
    "step's quota": ("Running", "", one("Pending", QUOTA), EventKind.DENIED, "work:denied:"),
    "step's lock": ("Running", "", one("Pending", LOCKED), EventKind.WAITING, f"work:lock:{LOCK}:"),
    "rate": (
        *("Running", "", one("Pending", "resource creation rate-limit reached")),
        *(EventKind.THROTTLED, "work:rate:"),
    ),
    "image": (
        *("Running", "", one("Pending", "ImagePullBackOff: Back-off pulling image")),
        *(EventKind.WAITING, "work:image:"),
    ),
    "node": (
        *("Running", "", one("Pending", "Unschedulable: 0/3 nodes are available")),
        *(EventKind.WAITING, "work:node:"),
    ),
}


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("name", WAITS)
def test_a_wait_names_what_for(name: str, flavour: str) -> None:
    phase, message, steps, kind, key = WAITS[name]
    run = seen(workflow(phase, message, steps, flavour=flavour))
    assert run.status is (Status.WAITING if phase == "Pending" else Status.RUNNING)
    assert [event.kind for event in run.events if event.key == key] == [kind]
    assert run.closed_at is None
    assert run.document is None


def test_a_refusal_by_quota_has_its_amounts() -> None:
    run = seen(workflow("Running", "", one("Pending", QUOTA)))
    denied = next(event for event in run.events if event.kind is EventKind.DENIED)
    assert denied.detail["quota"] == "headroom"
    assert denied.detail["requested"] == {"requests.cpu": "2", "requests.memory": "4Gi"}
    assert denied.detail["used"] == {"requests.cpu": "3", "requests.memory": "1Gi"}
    assert denied.detail["limited"] == {"requests.cpu": "4", "requests.memory": "4Gi"}


def test_a_refusal_moves_on_with_each_reading() -> None:
    read = [
        run_of(WorkflowSnapshot(workflow("Running", "", one("Pending", message))), at)
        for message, at in ((QUOTA, NOW), (QUOTA.replace("=3,", "=4,"), NOW + timedelta(hours=1)))
    ]
    first, later = (
        next(event for event in run.events if event.kind is EventKind.DENIED) for run in read
    )
    assert (first.seq, first.key) == (later.seq, later.key)
    assert first.detail["last_at"] < later.detail["last_at"]
    assert later.detail["used"]["requests.cpu"] == "4"


def test_whoever_else_refuses_a_step_is_not_told_as_a_quota() -> None:
    message = 'admission webhook "pods.example.com" denied the request: exceeded quota: no'
    run = seen(workflow("Running", "", one("Pending", message)))
    denied = next(event for event in run.events if event.kind is EventKind.DENIED)
    assert denied.title == "work was refused"
    assert (denied.detail["kind"], denied.detail["by"]) == ("webhook", "pods.example.com")


@pytest.mark.parametrize(
    ("message", "held"),
    [
        (f"Waiting for {LOCK} lock. Lock status: 1/3", 2),
        (f"Waiting for {LOCK} lock. Lock status: -1/3", 4),
        ("Waiting for acme/Database/gpu lock (sem/acme/gpu). Lock status: 2/3", 2),
    ],
)
def test_a_lock_says_how_much_of_it_is_held(message: str, held: int) -> None:
    run = seen(workflow("Pending", message))
    waiting = next(event for event in run.events if event.kind is EventKind.WAITING)
    assert (waiting.detail["held"], waiting.detail["limit"]) == (held, 3)


def test_attempts_are_the_children_of_a_retry_node() -> None:
    run = seen(workflow("Succeeded", "", retried()))
    assert run.attempts == 3
    ended = {event.step: event for event in run.events if event.key.endswith(":ended")}
    assert [ended[f"work({n})"].attempt for n in range(3)] == [1, 2, 3]
    assert ended["work(1)"].detail["failure"] == "out_of_memory"
    assert ended["work(1)"].detail["exit_code"] == 137
    assert kinds(run).count(EventKind.RETRY) == 2


def test_a_graph_with_a_circle_gives_every_node_once() -> None:
    steps = nodes(node("wf", "DAG"), node("a", children=["b"]), node("b", children=["a", "wf"]))
    run = seen(workflow("Succeeded", "", steps))
    assert kinds(run).count(EventKind.STEP_COMPLETED) == 2


def test_nodes_that_nothing_leads_to_are_not_lost() -> None:
    steps = {**nodes(node("wf", "Steps", children=[])), "wf.onExit": node("onExit")}
    run = seen(workflow("Succeeded", "", steps))
    assert "onExit completed" in [event.title for event in run.events]


def test_a_step_that_waits_for_a_person_pauses_the_run() -> None:
    steps = nodes(node("wf", "Steps", "Running"), node("approve", "Suspend", "Running"))
    run = seen(workflow("Running", "", steps))
    assert run.status is Status.PAUSED
    message = "Resumed by: map[User:ann@example.com]"
    steps["approve"] = node("approve", "Suspend", "Succeeded", message=message)
    resumed = seen(workflow("Running", "", steps))
    event = next(item for item in resumed.events if item.kind is EventKind.RESUMED)
    assert "ann@example.com" in event.actor


def test_suspending_and_resuming_the_whole_run_are_events() -> None:
    suspended = seen(workflow("Running", spec={"suspend": True}))
    assert suspended.status is Status.PAUSED
    assert EventKind.PAUSED in kinds(suspended)
    again = seen(workflow("Running", spec={"suspend": True}), before=suspended.revision)
    assert EventKind.PAUSED not in kinds(again)
    resumed = seen(workflow("Running"), before=suspended.revision)
    assert EventKind.RESUMED in kinds(resumed)


def test_people_are_named_by_the_servers_labels() -> None:
    labels = {
        f"{P}creator-email": "ann.at.example.com",
        f"{P}actor-email": "bob.at.example.com",
        f"{P}action": "Terminate",
    }
    message = "Stopped with strategy 'Terminate'"
    run = seen(workflow("Failed", message, labels=labels, spec={"shutdown": "Terminate"}))
    assert run.started_by == "ann.at.example.com"
    requests = [event for event in run.events if event.kind is EventKind.CANCEL_REQUESTED]
    assert [event.actor for event in requests] == ["bob.at.example.com"]


def test_a_shutdown_without_a_label_is_still_an_event() -> None:
    run = seen(workflow("Running", spec={"shutdown": "Stop"}))
    assert EventKind.CANCEL_REQUESTED in kinds(run)


def test_a_run_is_due_to_remove_itself_as_its_strategy_says() -> None:
    ttl = {"ttlStrategy": {"secondsAfterFailure": 60, "secondsAfterCompletion": 600}}
    finished = datetime.fromisoformat(FINISHED)
    failed = seen(workflow("Failed", EXIT, spec=ttl))
    assert failed.cleanup_at == finished + timedelta(seconds=61)
    errored = seen(workflow("Error", EXIT, spec=ttl))
    assert errored.cleanup_at == finished + timedelta(seconds=601)
    late = run_of(WorkflowSnapshot(workflow("Failed", EXIT, spec=ttl)), NOW + timedelta(minutes=5))
    assert [event.key for event in late.events if event.kind is EventKind.CLEANUP] == ["overdue"]


def test_a_deleted_run_was_cleaned_up_or_lost() -> None:
    gone = seen(workflow("Succeeded"), deleted=True, before="999.0 d")
    assert (gone.status, gone.cleaned_at) == (Status.SUCCEEDED, NOW)
    assert gone.document is None  # it was given when the run ended
    lost = seen(workflow("Running", "", one("Running", "")), deleted=True)
    assert lost.status is Status.DELETED
    assert lost.document is not None


def test_a_retry_by_hand_is_a_run_of_its_own() -> None:
    first = seen(workflow("Failed", EXIT, one("Failed", EXIT)))
    again = workflow("", "", one("Running", ""), startedAt="2026-11-22T11:00:00Z")
    assert is_retry_of(first.revision, again)
    run = seen(again, attempt=1)
    assert run.run_id == f"{UID}#1"
    assert run.parent == f"argo/acme/wf/{UID}"
    assert run.links[LinkKind.CHAIN] == first.links[LinkKind.CHAIN] == UID
    assert run.events[0].title == "Workflow retried by hand"
    assert not is_retry_of(first.revision, workflow("Failed", EXIT, one("Failed", EXIT)))
    assert is_retry_of(first.revision, workflow("Failed", EXIT, startedAt="2026-11-22T11:00:00Z"))


def test_progress_counts_steps_and_an_annotation_knows_better() -> None:
    manifest = workflow("Running", "", one("Succeeded", ""), progress="3/10")
    run = seen(manifest)
    assert run.progress is not None
    assert (run.progress.done, run.progress.total) == (3, 10)
    manifest["metadata"]["annotations"]["headroom.dev/checkpoint"] = '{"done": 70, "total": 90}'
    progress = seen(manifest).progress
    assert progress is not None
    assert (progress.done, progress.total) == (70, 90)


@pytest.mark.parametrize("seconds", [999_999_990, 2**63 - 1])
def test_a_clean_up_that_no_calendar_has_is_none(seconds: int) -> None:
    ttl = {"ttlStrategy": {"secondsAfterCompletion": seconds}}
    item = workflow("Succeeded", spec=ttl)
    item["status"]["finishedAt"] = "9997-06-01T00:00:00Z"
    run = seen(item)
    assert (run.status, run.cleanup_at) == (Status.SUCCEEDED, None)
