"""Whatever a server says of a run, an activity or a queue: it is read, and can be stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar, cast

import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from temporalio.api.activity.v1 import ActivityExecutionListInfo
from temporalio.api.history.v1 import History as ProtoHistory
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeActivityExecutionResponse,
    DescribeTaskQueueResponse,
    DescribeWorkflowExecutionResponse,
)

from console.clients.contracts import QueueConfig, QueueKind, QueueStats, RequestCounter
from console.clients.temporal.client import TemporalClient
from console.clients.temporal.events import is_closing, room_for, translate
from console.clients.temporal.history_reader import HistoryReader
from console.clients.temporal.queues import described_config, described_stats
from console.clients.temporal.records import RunHistory, VisibilityRow
from console.clients.temporal.runs import run_description, visibility_row
from console.clients.temporal.standalone import activity_description, activity_row
from observability.engines.contracts import RunRef, RunSnapshot, Status
from observability.engines.temporal import runs, standalone
from observability.engines.temporal.activities import Schedules, pending_events
from observability.engines.temporal.history import reduce_history
from observability.engines.temporal.with_histories import unread_declarations, with_histories
from observability.ingest.rules.masking import Masker
from observability.ingest.rules.merge import state_of
from quotas.enforcement.adapters.temporal.compile import compiled
from quotas.enforcement.adapters.temporal.observe import observe
from quotas.enforcement.diff import diff
from tenants.contracts import PlacementRef, TargetRef
from tests.contract.adapter_harness import limits
from tests.fuzzing import fuzz_examples
from tests.observability.engines.storable import problems_of
from tests.proto_mutations import mutated
from tests.recordings.recorded import temporal

pytestmark = pytest.mark.fuzz
M = TypeVar("M", bound=Message)
MASKER = Masker(["password"])
NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
REF = RunRef(1, "w", "r", "default", Status.RUNNING, "", NOON)


def recordings(kind: str, message: type[M]) -> list[M]:
    return [json_format.ParseDict(recorded, message()) for recorded in temporal(kind)]


def mutants(kind: str, message: type[M], seed: str = "") -> Iterator[tuple[str, M]]:
    """Mutants of each recording in turn, each with what repeats it."""
    recorded = recordings(kind, message)
    for number in range(fuzz_examples()):
        origin = recorded[number % len(recorded)]
        yield f"{kind} {number} {seed}", mutated(origin, Random(f"{kind}{seed}:{number}"))


def storable(run: RunSnapshot, which: str) -> None:
    """That a run fits its row. A name may be of any kind: ingest bounds it, and cleans it."""
    named = replace(run, external_id="w", run_id="r", parent="", links={}, started_by="")
    if named.closed_at is not None:
        named = replace(named, created_at=min(named.created_at, named.closed_at))
    assert problems_of(named) == [], which
    state_of(run, masker=MASKER)
    for event in run.events:
        orjson.dumps(dict(event.detail), default=str, option=orjson.OPT_NON_STR_KEYS)


def test_no_mutation_of_a_history_stops_it_from_being_read() -> None:
    for which, history in mutants("histories", ProtoHistory):
        events = translate(history.events, room_for(len(history.events)))
        state = reduce_history(events)
        run = runs.from_history(REF, state)
        storable(replace(run, type="Flow", events=tuple(state.events)), which)
        reduce_history(events, after=4)


def test_no_mutation_of_a_description_stops_it_from_being_read() -> None:
    histories = recordings("histories", ProtoHistory)
    for which, answer in mutants("descriptions", DescribeWorkflowExecutionResponse):
        description = run_description(answer)
        schedules = Schedules()
        for history in histories:
            events = translate(history.events, 128)
            schedules.learn(description.row.run_id, RunHistory(events, 0, False, None))
        run = runs.snapshot_of(description, "default")
        pending = tuple(pending_events(description, schedules, run.created_at))
        storable(replace(run, events=pending), which)
        state = reduce_history(translate(histories[0].events, 128))
        runs.waiting(runs.refined(run, state), description, state)


def test_no_mutation_of_a_row_stops_it_from_being_read() -> None:
    for which, info in mutants("rows", WorkflowExecutionInfo):
        row = visibility_row(info)
        run = runs.snapshot(row, "default")
        storable(run, which)
        assert runs.covers(runs.revision_of(row), row) or row.transitions < 0 or row.status == ""
        list(unread_declarations(row, "default"))


def test_no_mutation_of_a_standalone_activity_stops_it_from_being_read() -> None:
    for which, answer in mutants("activities", DescribeActivityExecutionResponse):
        history = standalone.history_of(activity_description(answer), "default")
        assert history.run is not None
        storable(replace(history.run, events=history.events), which)
        orjson.loads(history.document or b"{}")
    for which, info in mutants("activity_rows", ActivityExecutionListInfo):
        storable(standalone.listed(activity_row(info), "default"), which)


class Histories:
    """A HistoryReader that has some histories and no network."""

    def __init__(self, histories: dict[str, RunHistory]) -> None:
        self._histories = histories

    def fetch(self, refs: Sequence[tuple[str, str]]) -> Any:
        histories = [self._histories.get(run_id) for _, run_id in refs]

        class Fetched:
            def result(self) -> list[RunHistory | None]:
                return histories

            def cancel(self) -> None: ...

        return Fetched()

    def describe_all(self, refs: Sequence[tuple[str, str]]) -> list[None]:
        return [None for _ in refs]


def row_of(number: int) -> VisibilityRow:
    return VisibilityRow(
        *(f"w{number}", f"r{number}", "Flow", "q", "completed", NOON, None, NOON),
        *(5, 100, 3, ""),
    )


def told(history: ProtoHistory) -> RunHistory:
    events = translate(history.events, room_for(len(history.events)))
    last = history.events[-1] if history.events else None
    closed = last is not None and is_closing(last)
    return RunHistory(events, last.event_id if last else 0, closed, b"x")


def test_a_mutated_history_leaves_its_neighbours_as_they_were() -> None:
    whole = [history for history in recordings("histories", ProtoHistory) if told(history).closed]
    neighbours = {f"r{number}": told(history) for number, history in enumerate(whole[:3])}
    rows = [row_of(number) for number in range(4)]

    def read(fourth: ProtoHistory) -> list[RunSnapshot]:
        reader = cast("HistoryReader", Histories({**neighbours, "r3": told(fourth)}))
        return [run for page in with_histories(reader, rows, "default") for run in page.runs]

    before = read(whole[3])[:3]
    for which, history in mutants("histories", ProtoHistory, "neighbour"):
        assert read(history)[:3] == before, which


class Queue:
    """A client whose one queue is described in some way."""

    namespace = "default"

    def __init__(self, answer: DescribeTaskQueueResponse) -> None:
        self._answer, self.counter = answer, RequestCounter()

    def queue_config(self, queue: str) -> QueueConfig:
        return described_config(queue, QueueKind.ACTIVITY, self._answer)

    def queue_stats(self, queue: str, kind: QueueKind = QueueKind.ACTIVITY) -> QueueStats:
        return described_stats(queue, kind, self._answer)

    def partitions(self, _: str) -> int:
        return 4


def test_no_mutation_of_a_queue_keeps_its_tenants_from_being_limited() -> None:
    own = PlacementRef(1, "acme", "jobs", "temporal", "own")
    share = PlacementRef(2, "globex", "jobs", "temporal", "shared", "shared", "globex")
    target = TargetRef(
        *(1, "jobs", "temporal", "127.0.0.1:1", ""),
        {"queues": {"shared": {"base_rate": 1000}}},
        {"fairness": True},
    )
    wanted = limits({"temporal.queue_rate": 5000, "temporal.weight": 2000})
    for which, answer in mutants("queues", DescribeTaskQueueResponse):
        client = cast("TemporalClient", Queue(answer))
        observation = observe(client, [own, share], everything=False, concurrency=2)
        assert set(observation.placements) == {1, 2}, which
        for placement in (own, share):
            observed = observation.placements[placement.id]
            for intended in (wanted, replace(wanted, suspended=True), None):
                diff(compiled(intended, placement, target).objects, observed.objects)
