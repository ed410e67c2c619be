"""No headline of a Job says more than its cluster does: what became of pods that are gone, what a
new try waits for, who has its pods."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from observability.engines.contracts import (
    DENIALS,
    SITUATION,
    STATUS_TIMES,
    KnownRun,
    RunEvent,
    RunSnapshot,
    Status,
)
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from observability.jobs.charts.elements import RunTimes
from observability.jobs.charts.headline import Headline, HeadlineInput, headline, summarize
from tests.observability.jobs.charts.test_timeline import moments

Object = dict[str, Any]
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def at(clock: str) -> str:
    """That time of the day, as Kubernetes writes it."""
    return f"2026-11-30T{clock}Z"


def job(status: Object, **spec: Any) -> Object:
    """A Job of nine o'clock."""
    metadata = {"name": "j", "namespace": "acme", "uid": "J", "creationTimestamp": at("09:00:00")}
    template = {"spec": {"containers": [{"name": "main", "image": "x"}]}}
    return {"metadata": metadata, "spec": {"template": template, **spec}, "status": status}


def pod(name: str, created: str, phase: str, *containers: Object, **status: Any) -> Object:
    """A pod of it."""
    return {
        "metadata": {"name": name, "uid": name, "creationTimestamp": at(created)},
        "spec": {},
        "status": {"phase": phase, "containerStatuses": list(containers), **status},
    }


def died(code: int, ended: str, message: str) -> Object:
    """How a container ended."""
    end = {"exitCode": code, "reason": "Error", "message": message}
    return {"terminated": {**end, "startedAt": at("09:00:02"), "finishedAt": at(ended)}}


def runs(since: str, name: str = "main") -> Object:
    """A container that runs."""
    return {"name": name, "state": {"running": {"startedAt": at(since)}}}


def scheduled(status: str, since: str, **more: str) -> list[Object]:
    """Whether a pod has a node."""
    condition = {"type": "PodScheduled", "status": status, "lastTransitionTime": at(since)}
    return [condition | more]


FAILED = pod(
    *("p0", "09:00:00", "Failed"),
    {"name": "main", "state": died(2, "09:00:05", "cannot reach database")},
)
HOMELESS = pod(
    *("p1", "09:00:10", "Pending"),
    conditions=scheduled("False", "09:00:10", reason="Unschedulable", message="0/3 nodes"),
)
CRASHING = pod(
    *("p", "09:00:00", "Running"),
    {
        "name": "main",
        "restartCount": 1,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": died(2, "09:20:00", "x"),
    },
)


def shown(
    manifest: Object, *pods: Object, earlier: Iterable[RunEvent] = (), **more: Any
) -> tuple[Headline, RunSnapshot]:
    """The headline at noon, after what was told before; and the run."""
    run = run_of(JobSnapshot(manifest, pods, **more), NOON)
    told_once = {event.key: event for event in (*earlier, *run.events)}
    events = sorted(told_once.values(), key=lambda event: (event.seq, event.key))
    facts = HeadlineInput(
        times=RunTimes(run.status, run.created_at, run.began_at, run.closed_at),
        attempts=run.attempts or 0,
        failure=run.failure,
        failure_kind=run.failure_kind,
        situation=run.attributes.get(SITUATION),
        denials=run.attributes.get(DENIALS),
    )
    return headline(facts, summarize(moments(events)), now=NOON), run


def events_of(manifest: Object, *pods: Object) -> tuple[RunEvent, ...]:
    """What an earlier look told."""
    return run_of(JobSnapshot(manifest, pods), NOON).events


def test_a_new_try_that_waits_for_a_node_says_so_and_whose_failure_it_is() -> None:
    line, _ = shown(job({"failed": 1, "active": 1}), FAILED, HOMELESS)
    assert line == Headline(
        "warn",
        "Retrying: attempt 2, waiting for 2 h 59 min",
        "Pod p1 waits for a node: 0/3 nodes; before that p0: exit code 2: cannot reach database.",
    )


def test_a_program_that_could_not_be_started_is_what_failed_before_the_next_try() -> None:
    words = 'exec: "foo": executable file not found in $PATH'
    end = {"exitCode": 128, "reason": "StartError", "message": words, "finishedAt": at("09:00:05")}
    # So containerd says that it never began.
    state = {"terminated": {**end, "startedAt": "1970-01-01T00:00:00Z"}}
    line, run = shown(
        job({"failed": 1}), pod("p0", "09:00:00", "Failed", {"name": "main", "state": state})
    )
    assert (run.began_at, run.attributes.get(STATUS_TIMES)) == (None, None)
    assert {event.at.year for event in run.events} == {2026}
    assert line == Headline(
        "warn", "Invalid definition, 2 h 59 min ago", f"StartError (exit code 128): {words}"
    )


NEXT = pod("p9", "09:30:00", "Running", runs("09:30:00"), conditions=scheduled("True", "09:30:00"))


@pytest.mark.parametrize("removed", [frozenset(), frozenset({"p"})])
def test_a_crashing_pod_that_is_gone_is_not_retried(removed: frozenset[str]) -> None:
    before = events_of(job({"active": 1}), CRASHING)
    pods = (CRASHING, NEXT) if removed else (NEXT,)
    line, run = shown(job({"active": 1}), *pods, earlier=before, removed=removed)
    assert run.attributes[SITUATION] == ""
    assert line.lead == ("Running for 2 h 59 min" if removed else "Running for 2 h 30 min")


def test_a_pending_pod_that_was_removed_before_it_began_is_not_retried() -> None:
    before = events_of(job({"failed": 1, "active": 1}), FAILED, HOMELESS)
    line, _ = shown(job({"failed": 2, "active": 1}), FAILED, NEXT, earlier=before)
    assert line.lead.startswith("Running for")
    assert line.text == "At work: p9. No failure and no checkpoint so far."


def test_a_new_pod_that_waits_has_not_taken_the_number_of_one_that_is_gone() -> None:
    waiting = {**HOMELESS, "metadata": {**HOMELESS["metadata"], "name": "p9", "uid": "p9"}}
    line, _ = shown(job({"active": 1}), waiting, earlier=events_of(job({}), CRASHING))
    assert "attempt 2" not in line.lead
    assert line.text == "Pod p9 waits for a node: 0/3 nodes."


def test_a_pod_that_crashes_again_and_again_is_retried_for_as_long_as_it_is_there() -> None:
    line, run = shown(job({"active": 1}), CRASHING)
    assert run.attributes[SITUATION] == "pod p waits before being started again"
    assert line == Headline("warn", "Retrying: attempt 3", "p: exit code 2: x")


def test_a_crashing_pod_that_is_being_removed_is_not_retried() -> None:
    metadata = {**CRASHING["metadata"], "deletionTimestamp": at("11:00:00")}
    line, run = shown(job({"active": 1}), {**CRASHING, "metadata": metadata})
    assert "Retrying" not in line.lead
    assert run.attributes[SITUATION] == "its pod is being removed"


MULTIKUEUE = "kueue.x-k8s.io/multikueue"


@pytest.mark.parametrize(
    ("manager", "status", "words"),
    [
        ("acme.io/own", {"active": 1}, "its pods may be in another cluster"),
        (MULTIKUEUE, {"active": 1}, "pods in another cluster"),
        (MULTIKUEUE, {}, "which reports no pods so far"),
        ("acme.io/own", {"active": 0}, "which reports no pods so far"),
    ],
)
def test_where_pods_of_another_manager_are_is_said_as_far_as_it_is_known(
    manager: str, status: Object, words: str
) -> None:
    _, run = shown(job(status, managedBy=manager))
    assert run.attributes[SITUATION] == f"managed by {manager}, {words}"


IGNORE = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
RESUMED = {"type": "Suspended", "status": "False", "lastTransitionTime": at("11:59:50")}
JUST = at("11:59:50")
NEVER, NEXT_ONE = "no pod of it has been created yet", "its next pod is still to be created"
TRIED = "waits before its next pod is tried"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (JobSnapshot(job({})), NEVER),
        (JobSnapshot(job({"startTime": JUST})), NEVER),
        (JobSnapshot(job({"startTime": JUST}), [FAILED]), TRIED),
        (JobSnapshot(job({"startTime": JUST, "failed": 1})), TRIED),
        (JobSnapshot(job({"startTime": at("09:00:00")}, podFailurePolicy=IGNORE)), NEXT_ONE),
        (JobSnapshot(job({"startTime": JUST, "conditions": [RESUMED]})), NEXT_ONE),
        (JobSnapshot(job({"startTime": JUST}), known=KnownRun(attempts=1)), NEXT_ONE),
        (JobSnapshot(job({"startTime": JUST}), before="9.7.0 f"), NEXT_ONE),
        (JobSnapshot(job({"uncountedTerminatedPods": {"failed": ["p0"]}})), NEXT_ONE),
    ],
)
def test_that_a_job_never_had_a_pod_is_said_only_where_it_is_certain(
    given: JobSnapshot, words: str
) -> None:
    assert run_of(given, NOON).attributes[SITUATION] == words


def refused(message: str) -> Object:
    """What the API server said of a pod that it did not take."""
    times = {"firstTimestamp": at("09:01:00"), "lastTimestamp": at("11:00:00"), "count": 400}
    return {"reason": "FailedCreate", "message": message, "metadata": {"name": "w"}, **times}


QUOTA = (
    'Error creating: pods "j-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, '
    "limited: pods=3"
)


def test_pods_that_were_refused_beside_others_are_not_why_the_first_waited_to_start() -> None:
    done = {"type": "Complete", "status": "True", "lastTransitionTime": at("11:30:00")}
    first = pod(
        *("p0", "09:00:00", "Succeeded"),
        {
            "name": "main",
            "state": {
                "terminated": {
                    "exitCode": 0,
                    "startedAt": at("09:05:00"),
                    "finishedAt": at("11:00:00"),
                }
            },
        },
        conditions=scheduled("True", "09:00:00"),
    )
    manifest = job({"succeeded": 5, "conditions": [done]}, parallelism=5, completions=5)
    line, run = shown(manifest, first, warnings=[refused(QUOTA)])
    assert run.attributes[DENIALS]["count"] == 400
    assert (run.status, line.text) == (Status.SUCCEEDED, "5 min of it waiting to start.")


def test_the_name_of_a_container_keeps_its_small_letters() -> None:
    ended = {"name": "a", "state": died(3, "09:30:00", "")}
    manifest = job({"active": 1})
    manifest["spec"]["template"]["spec"]["containers"] = [{"name": "a"}, {"name": "b"}]
    line, _ = shown(manifest, pod("p", "09:00:00", "Running", ended, runs("09:00:02", "b")))
    assert line.text == "Container a ended at 09:30:00 UTC (exit code 3); b still runs."
