"""Whatever stands in a Job, its pods or its events, its run is read and can be stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from observability.engines.contracts import EventKind, RunSnapshot
from observability.engines.kubernetes.reading import by_uid, warnings_by_uid
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from observability.engines.unstructured import uid_of
from tests.fuzzing import fuzz_examples
from tests.mutations import mutants
from tests.observability.engines.storable import problems_of
from tests.recordings.recorded import cluster

Object = dict[str, Any]
NOW = datetime(2026, 11, 30, 6, 30, tzinfo=UTC)
MORE = ("d", "g", "q")


def recordings() -> list[Object]:
    """Each Job with its pods and warnings."""
    pods, warnings = by_uid(cluster("Pod")), warnings_by_uid(cluster("Event"))
    return [
        {"job": job, "pods": pods[uid_of(job)], "events": warnings[uid_of(job)]}
        for job in cluster("Job")
    ]


def snapshot_of(recording: Any, number: int = 0) -> JobSnapshot:
    """As the source would hand it over: lists of objects, whatever is in them."""
    items = {"job": {}, "pods": [], "events": []} | recording
    pods = [pod for pod in items["pods"] if isinstance(pod, dict)]
    return JobSnapshot(
        items["job"],
        pods,
        [event for event in items["events"] if isinstance(event, dict)],
        removed=frozenset(uid_of(pod) for pod in pods[: number % 3]),
        deleted=number % 5 == 0,
        before=("", "12.9.3 dq", "² x", "9" * 60)[number % 4],
    )


@pytest.mark.fuzz
def test_no_mutation_of_a_job_stops_it_from_being_read() -> None:
    tried, wanted = 0, fuzz_examples()
    for number, mutant in enumerate(mutants(recordings(), wanted)):
        value = mutant.value
        if not isinstance(value, dict) or not isinstance(value.get("job", {}), dict):
            continue
        if not all(isinstance(value.get(name, []), list) for name in ("pods", "events")):
            continue
        run = run_of(snapshot_of(value, number), NOW)
        problems = [line for line in problems_of(run) if "no name" not in line]
        assert problems == [], str(mutant)
        tried += 1
    assert tried > wanted * 0.8


@pytest.mark.fuzz
def test_a_mutated_pod_leaves_the_events_of_its_neighbours_as_they_were() -> None:
    whole = next(recording for recording in recordings() if len(recording["pods"]) > 1)
    neighbour = uid_of(whole["pods"][1])
    before = _events_of(run_of(snapshot_of(whole, 1), NOW), neighbour)
    assert before
    for mutant in mutants([whole["pods"][0]], fuzz_examples(250, 2_500)):
        pods = [mutant.value, *whole["pods"][1:]]
        run = run_of(snapshot_of({**whole, "pods": pods}, 1), NOW)
        assert _events_of(run, neighbour) == before, str(mutant)


def _events_of(run: RunSnapshot, step: str) -> list[tuple[object, ...]]:
    """What is told of a pod, but for which attempt it was: that hangs on the others' ages."""
    events = [event for event in run.events if event.step == step]
    return [
        (event.kind, event.at, event.message)
        for event in events
        if event.kind is not EventKind.RETRY
    ]
