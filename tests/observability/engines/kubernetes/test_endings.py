"""Whose failure ended a pod: the job's own container before those beside it, the cluster before
both where it took the pod away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from observability.engines.contracts import EventKind, FailureKind
from observability.engines.kubernetes.endings import (
    MOST_CONTAINERS,
    ending_of,
    failing_in,
    restarts_of,
)
from observability.engines.kubernetes.pods import JobPod, pod_events
from observability.engines.kubernetes.situation import kept_alive_words

Object = dict[str, Any]
EARLY, LATE = "2026-11-29T12:01:00Z", "2026-11-29T12:01:30Z"
EPHEMERAL = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."
UNKNOWN = "The container could not be located when the pod was terminated"
NO_FILE = 'exec: "foo": executable file not found in $PATH'
PRESSURE = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 60Mi."
PREEMPTED = "default-scheduler: preempting to accommodate a higher priority pod"


def template(*names: str) -> Object:
    """A Job's pod template with these containers."""
    return {"spec": {"containers": [{"name": name} for name in names]}}


def ended(name: str, code: int, *, why: str = "", message: str = "", at: str = EARLY) -> Object:
    """The status of a container that ended."""
    reason = why or ("Error" if code else "Completed")
    state = {"exitCode": code, "reason": reason, "message": message, "finishedAt": at}
    return {"name": name, "state": {"terminated": state}}


def runs(name: str) -> Object:
    """The status of a container that runs."""
    return {"name": name, "state": {"running": {"startedAt": EARLY}}}


def pod(
    *containers: Object, phase: str = "Failed", init: tuple[Object, ...] = (), **more: Any
) -> Object:
    """A pod by the status of its containers."""
    native = more.pop("native", ())
    always = [{"name": name, "restartPolicy": "Always"} for name in native]
    conditions = [
        {"type": "DisruptionTarget", "status": "True", "reason": why, "message": words}
        for why, words in more.pop("disrupted", {}).items()
    ]
    status = {"phase": phase, "containerStatuses": list(containers), "conditions": conditions}
    status |= {"initContainerStatuses": list(init), **more.pop("status", {})}
    spec = {"initContainers": always, **more.pop("spec", {})}
    return {"metadata": {"name": "p", "uid": "u", **more}, "spec": spec, "status": status}


CASES: dict[str, tuple[Object, FailureKind, str]] = {
    "the job's own exit code": (
        pod(ended("main", 3, message="input file is empty")),
        *(FailureKind.APPLICATION, "exit code 3: input file is empty"),
    ),
    "a native sidecar that was killed": (
        pod(
            ended("main", 3, message="input file is empty"),
            init=(ended("proxy", 137, at=LATE),),
            native=("proxy",),
        ),
        *(FailureKind.APPLICATION, "exit code 3: input file is empty"),
    ),
    "a sidecar that was put in and ran out of memory": (
        pod(ended("main", 3, message="no proxy"), ended("istio-proxy", 137, why="OOMKilled")),
        *(FailureKind.APPLICATION, "exit code 3: no proxy"),
    ),
    "the job's own container out of memory beside a sidecar that failed": (
        pod(ended("main", 137, why="OOMKilled"), ended("logger-sidecar", 1)),
        *(FailureKind.OUT_OF_MEMORY, "OOMKilled (exit code 137)"),
    ),
    "only a sidecar failed": (
        pod(ended("main", 0), ended("istio-proxy", 2, message="no certificate")),
        *(FailureKind.APPLICATION, "sidecar istio-proxy: exit code 2: no certificate"),
    ),
    "what prepares it failed": (
        pod({"name": "main"}, init=(ended("fetch", 22, message="404"),)),
        *(FailureKind.APPLICATION, "init container fetch: exit code 22: 404"),
    ),
    "what prepares it ran out of memory": (
        pod({"name": "main"}, init=(ended("fetch", 137, why="OOMKilled"),)),
        *(FailureKind.OUT_OF_MEMORY, "init container fetch: OOMKilled (exit code 137)"),
    ),
    "one of which a child ran out of memory, and that ended well": (
        pod(ended("writer", 0, why="OOMKilled"), ended("main", 3, message="disk full", at=LATE)),
        *(FailureKind.APPLICATION, "main: exit code 3: disk full"),
    ),
    "the first of two that failed": (
        pod(ended("writer", 1, message="broken pipe", at=LATE), ended("main", 9, message="boom")),
        *(FailureKind.APPLICATION, "main: exit code 9: boom"),
    ),
    "it could not be started": (
        pod(ended("main", 128, why="StartError", message=NO_FILE)),
        *(FailureKind.INVALID, f"StartError (exit code 128): {NO_FILE}"),
    ),
    "it could not be started by Docker": (
        pod(ended("main", 127, why="ContainerCannotRun", message=NO_FILE)),
        *(FailureKind.INVALID, f"ContainerCannotRun (exit code 127): {NO_FILE}"),
    ),
    "its node no longer knows it": (
        pod(ended("main", 137, why="ContainerStatusUnknown", message=UNKNOWN, at="")),
        *(FailureKind.WORKER_LOST, f"ContainerStatusUnknown (exit code 137): {UNKNOWN}"),
    ),
    "evicted, and its node no longer knows it": (
        pod(
            ended("main", 137, why="ContainerStatusUnknown", message=UNKNOWN, at=""),
            status={"reason": "Evicted", "message": EPHEMERAL},
        ),
        *(FailureKind.EVICTED, f"Evicted (exit code 137): {EPHEMERAL}"),
    ),
    "evicted for the node's memory": (
        pod(ended("main", 137), status={"reason": "Evicted", "message": PRESSURE}),
        *(FailureKind.EVICTED, f"Evicted (exit code 137): {PRESSURE}"),
    ),
    "evicted for what it wrote": (
        pod(status={"reason": "Evicted", "message": EPHEMERAL}),
        *(FailureKind.EVICTED, f"Evicted: {EPHEMERAL}"),
    ),
    "preempted": (
        pod(ended("main", 143), disrupted={"PreemptionByScheduler": PREEMPTED}),
        *(FailureKind.EVICTED, f"PreemptionByScheduler (exit code 143): {PREEMPTED}"),
    ),
    "its node was lost": (
        pod(disrupted={"DeletionByPodGC": "PodGC: node no longer exists"}),
        *(FailureKind.WORKER_LOST, "DeletionByPodGC: PodGC: node no longer exists"),
    ),
    "its node did not take it": (
        pod(status={"reason": "OutOfcpu", "message": "Pod was rejected: Node didn't have enough"}),
        *(FailureKind.OTHER, "OutOfcpu: Pod was rejected: Node didn't have enough"),
    ),
    "the pod's own deadline": (
        pod(
            ended("main", 143),
            status={"reason": "DeadlineExceeded", "message": "Pod was active on the node longer"},
        ),
        *(
            FailureKind.DEADLINE,
            "DeadlineExceeded (exit code 143): Pod was active on the node longer",
        ),
    ),
    "deleted by somebody": (
        pod(ended("main", 143), deletionTimestamp=EARLY),
        *(FailureKind.APPLICATION, "exit code 143: its pod was being deleted"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_pod_ended_by_whoever_ended_it(name: str) -> None:
    given, kind, words = CASES[name]
    own = ("main", "writer", "logger-sidecar") if "writer" in str(given) else ("main",)
    ending = ending_of(given, template(*own))
    assert ending is not None
    assert (ending.kind, ending.words()) == (kind, words)


REAL = ended("load-proxy", 3, message="real cause")
NAMED: dict[str, tuple[Object, FailureKind, str]] = {
    "the proxy failed first, and the job was told to end": (
        pod(ended("main", 143, at=LATE), REAL),
        *(FailureKind.APPLICATION, "sidecar load-proxy: exit code 3: real cause"),
    ),
    "the proxy ran out of memory first": (
        pod(ended("main", 1, at=LATE), ended("load-proxy", 137, why="OOMKilled")),
        *(FailureKind.OUT_OF_MEMORY, "sidecar load-proxy: OOMKilled (exit code 137)"),
    ),
    "the job failed first": (
        pod(ended("main", 9, message="boom"), ended("load-proxy", 3, at=LATE)),
        *(FailureKind.APPLICATION, "exit code 9: boom"),
    ),
    "both were told to end, and the proxy was faster": (
        pod(ended("main", 143, at=LATE), ended("load-proxy", 143)),
        *(FailureKind.APPLICATION, "Error (exit code 143)"),
    ),
    "the job ran out of memory": (
        pod(ended("main", 137, why="OOMKilled", at=LATE), REAL),
        *(FailureKind.OUT_OF_MEMORY, "OOMKilled (exit code 137)"),
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_name_alone_does_not_hide_what_failed_first(name: str) -> None:
    given, kind, words = NAMED[name]
    ending = ending_of(given, template("main", "load-proxy"))
    assert ending is not None
    assert (ending.kind, ending.words()) == (kind, words)


def test_a_container_that_does_not_say_when_it_ended_was_not_the_first() -> None:
    timeless = ended("b", 137)
    timeless["state"]["terminated"]["finishedAt"] = None
    for containers in (
        (ended("a", 3, message="first"), timeless),
        (timeless, ended("a", 3, message="first")),
    ):
        ending = ending_of(pod(*containers), template("a", "b"))
        assert ending is not None
        assert ending.words() == "a: exit code 3: first"


def test_a_job_whose_only_container_is_called_like_a_proxy_is_its_own() -> None:
    ending = ending_of(pod(ended("cloud-sql-proxy", 5, message="no")), template("cloud-sql-proxy"))
    assert ending is not None
    assert ending.words() == "exit code 5: no"


def test_how_all_containers_ended_is_in_the_detail() -> None:
    given = pod(ended("main", 3), init=(ended("proxy", 137, at=LATE),), native=("proxy",))
    ending = ending_of(given, template("main"))
    assert ending is not None
    assert [(item["name"], item["role"], item["exit_code"]) for item in ending.containers] == [
        ("proxy", "sidecar", 137),
        ("main", "main", 3),
    ]


def crashing(restarts: int, **state: Any) -> Object:
    """The status of a container that was started again."""
    last = {"terminated": {"exitCode": 2, "reason": "Error", "finishedAt": EARLY}}
    return {"name": "main", "restartCount": restarts, "lastState": last, "state": state}


@pytest.mark.parametrize(
    ("container", "number"),
    [
        (crashing(7, waiting={"reason": "CrashLoopBackOff"}), 8),
        (crashing(7, running={"startedAt": LATE}), 7),
    ],
)
def test_a_start_that_is_still_to_come_is_not_counted(container: Object, number: int) -> None:
    (restart,) = restarts_of(pod(container, phase="Running"), template("main"))
    assert restart.number == number


def test_a_container_that_just_ended_and_will_be_started_again_failed_once_more() -> None:
    container = crashing(1, terminated={"exitCode": 9, "reason": "Error", "finishedAt": LATE})
    given = pod(container, phase="Running", spec={"restartPolicy": "OnFailure"})
    failures = [(item.number, item.ending.code) for item in restarts_of(given, template("main"))]
    assert failures == [(1, 2), (2, 9)]


def test_a_program_that_is_tried_again_could_not_be_started() -> None:
    last = {"exitCode": 128, "reason": "StartError", "message": NO_FILE, "finishedAt": EARLY}
    waits = crashing(1, waiting={"reason": "RunContainerError"})
    given = pod(waits | {"lastState": {"terminated": last}}, phase="Running")
    (restart,) = restarts_of(given, template("main"))
    assert restart.ending.kind is FailureKind.INVALID


@pytest.mark.parametrize("number", [1000, 4000])
def test_a_pod_of_very_many_crashed_containers_has_the_newest_of_their_events(number: int) -> None:
    names, begun = [f"c{place}" for place in range(number)], datetime(2026, 11, 29, tzinfo=UTC)
    crashed = [
        {
            **crashing(3, waiting={"reason": "CrashLoopBackOff"}),
            "name": name,
            "lastState": {
                "terminated": {
                    "exitCode": 1,
                    "finishedAt": (begun + timedelta(seconds=place)).isoformat(),
                }
            },
        }
        for place, name in enumerate(names)
    ]
    subject = JobPod(pod(*crashed, phase="Running"), {"spec": {"template": template(*names)}})
    restarts = subject.restarts
    assert [item.container.name for item in restarts] == names[-MOST_CONTAINERS:]
    assert restarts[-1].ending.container == names[-1]
    events = list(pod_events(subject, begun))
    assert len(events) == 2 * MOST_CONTAINERS


def test_containers_that_wait_or_run_again_have_no_more_events_than_others() -> None:
    stuck = [{"name": f"c{n}", "state": {"waiting": {"reason": "ErrImagePull"}}} for n in range(99)]
    again = [{**runs(f"r{n}"), "restartCount": 1} for n in range(99)]
    given = pod(*stuck, *again, phase="Pending")
    events = list(pod_events(JobPod(given, {}), datetime(2026, 11, 29, tzinfo=UTC)))
    assert sum(event.kind is EventKind.WAITING for event in events) == MOST_CONTAINERS
    assert sum("started again" in event.title for event in events) == MOST_CONTAINERS


def test_a_container_that_ended_well_failed_nothing_in_a_pod_that_goes_on() -> None:
    given = pod(ended("main", 0, why="OOMKilled"), runs("other"), phase="Running")
    own = template("main", "other")
    assert (list(restarts_of(given, own)), failing_in(given, own)) == ([], None)


def test_restarts_of_a_sidecar_are_none_of_the_job() -> None:
    sidecar = {**crashing(3, running={"startedAt": LATE}), "name": "istio-proxy"}
    given = pod(runs("main"), sidecar, phase="Running")
    assert list(restarts_of(given, template("main"))) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            pod(ended("main", 0), runs("istio-proxy"), phase="Running"),
            "main ended at 12:01:00 UTC (exit code 0); istio-proxy still runs and keeps the pod "
            "alive",
        ),
        (
            pod(ended("main", 3), runs("linkerd-proxy"), phase="Running"),
            "main ended at 12:01:00 UTC (exit code 3); linkerd-proxy still runs and keeps the pod "
            "alive",
        ),
        (
            pod(ended("main", 0), ended("istio-proxy", 143, at=LATE)),
            "main ended at 12:01:00 UTC (exit code 0); istio-proxy still ran and kept the pod "
            "alive",
        ),
        (pod(runs("main"), runs("istio-proxy"), phase="Running"), ""),
        (
            pod(ended("main", 0), phase="Running", init=(runs("proxy"),), native=("proxy",)),
            "",
        ),
    ],
)
def test_what_keeps_a_pod_alive_is_said(given: Object, words: str) -> None:
    job = {"spec": {"template": template("main")}}
    assert kept_alive_words(JobPod(given, job)) == words
