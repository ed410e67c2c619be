"""Whatever stands in a Workflow, its run is read and can be stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from observability.engines.argo.runs import run_of
from observability.engines.argo.state import WorkflowSnapshot
from observability.engines.contracts import RunSnapshot
from tests.fuzzing import fuzz_examples
from tests.mutations import mutants
from tests.observability.engines.argo.recorded import (
    EXIT,
    LOCKED,
    QUOTA,
    node,
    nodes,
    one,
    retried,
    workflow,
)
from tests.observability.engines.storable import problems_of
from tests.recordings.recorded import cluster

NOW = datetime(2026, 11, 30, 6, 30, tzinfo=UTC)


def recordings() -> list[dict[str, Any]]:
    """Workflows in every state."""
    exit_handler = node("onExit", "Pod", "Failed", message=EXIT, nodeFlag={"hooked": True})
    return [
        *cluster("Workflow"),
        workflow("Failed", "child failed", nodes(node("wf", "Steps", "Failed"), exit_handler)),
        workflow("Succeeded", "", retried(), spec={"ttlStrategy": {"secondsAfterCompletion": 9}}),
        workflow("Running", "", one("Pending", QUOTA), labels={"headroom.dev/tenant": "acme"}),
        workflow("Pending", LOCKED, synchronization={"semaphore": {"waiting": [{"holders": []}]}}),
    ]


@pytest.mark.fuzz
def test_no_mutation_of_a_workflow_stops_it_from_being_read() -> None:
    befores = ("", "12.1764151205000000 d", "9.9 dgop", "² x", "9" * 60)
    for number, mutant in enumerate(mutants(recordings(), fuzz_examples())):
        item = mutant.value if isinstance(mutant.value, dict) else {}
        snapshot = WorkflowSnapshot(
            item,
            number % 3,
            befores[number % 5],
            deleted=number % 7 == 0,
            archived=number % 11 == 0,
        )
        problems = [line for line in problems_of(run_of(snapshot, NOW)) if "no name" not in line]
        assert problems == [], str(mutant)


@pytest.mark.fuzz
def test_a_mutated_step_leaves_its_neighbours_as_they_were() -> None:
    tree = retried()
    before = _events_of(_read(tree), "work(1)")
    assert before
    for mutant in mutants([tree["work(0)"]], fuzz_examples(250, 2_500)):
        mutated = {**tree, "work(0)": mutant.value}
        assert _events_of(_read(mutated), "work(1)") == before, str(mutant)


def _read(tree: dict[str, Any]) -> RunSnapshot:
    return run_of(WorkflowSnapshot(workflow("Succeeded", "", tree)), NOW)


def _events_of(run: RunSnapshot, step: str) -> list[tuple[object, ...]]:
    events = [event for event in run.events if event.step_name == step]
    return [(event.kind, event.at, event.attempt, event.message) for event in events]
