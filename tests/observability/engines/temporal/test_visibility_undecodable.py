"""What a tenant can write into a namespace and no client can decode: its neighbours are read."""

from __future__ import annotations

import asyncio
import importlib
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command, ScheduleActivityTaskCommandAttributes
from temporalio.api.common.v1 import ActivityType, Memo, Payload, WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    RespondActivityTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.client import Client

from console.clients.temporal.client import TemporalClient
from console.clients.temporal.connection import UNDECODABLE
from console.clients.temporal.history_reader import HistoryReader
from console.clients.temporal.records import VisibilityPage, VisibilityRow
from console.errors import Refused
from observability.engines.contracts import ChangePage, Status
from observability.engines.temporal import visibility
from observability.engines.temporal.cursor import read
from observability.engines.temporal.namespace_pass import NamespacePass
from observability.engines.temporal.runs import snapshot
from observability.engines.temporal.visibility import BlindSpot, visibility_pages
from tenants.adapters.temporal import client_for
from tests.observability.engines.temporal.memory_reader import Reading, Rows
from tests.observability.engines.temporal.odd_workflows import at_work, begin
from tests.observability.engines.temporal.test_visibility import END, row
from tests.raw_grpc import field, number_field, raw_call
from tests.waiting import until


def start_poisoned(reading: Reading, name: str) -> None:
    """A workflow whose memo has a field of another type than anybody expects."""
    request = StartWorkflowExecutionRequest(
        namespace=str(reading.target.options["namespace"]),
        workflow_id=name,
        workflow_type=WorkflowType(name="Odd"),
        task_queue=TaskQueue(name="nobody"),
        request_id=name,
    )
    good = Payload(metadata={"encoding": b"json/plain"}, data=b'"x"').SerializeToString()
    entry = field(1, b"note") + field(2, good + number_field(1, 5))
    memo = StartWorkflowExecutionRequest.DESCRIPTOR.fields_by_name["memo"].number
    raw_call(
        reading.target.endpoint,
        "WorkflowService/StartWorkflowExecution",
        request.SerializeToString() + field(memo, field(1, entry)),
    )


def pages_of(reading: Reading) -> list[ChangePage]:
    pages = list(reading.pages())
    for page in pages:
        reading.rows.store(page)
    return pages


@pytest.mark.temporal
def test_a_run_that_cannot_be_decoded_hides_none_of_its_neighbours(reading: Reading) -> None:
    async def act(client: Client) -> None:
        for number in range(6):
            await begin(client, "quick", id=f"good-{number}")
            if number == 2:
                await asyncio.to_thread(start_poisoned, reading, "poisoned")

    at_work(reading, act, worker=False)
    rows = HistoryReader(client_of(reading))
    until(lambda: rows.count("TaskQueue = 'odd'") == 6 and rows.count("TaskQueue = 'nobody'"), "")
    with pytest.raises(Refused) as refused:
        rows.rows("CloseTime IS NULL")
    assert refused.value.code == UNDECODABLE
    pages = pages_of(reading)
    assert {name for name, _ in reading.rows.runs} == {f"good-{number}" for number in range(6)}
    (odd,) = {item for page in pages for item in page.unreadable}
    assert (odd.kind, odd.location) == ("Workflow", reading.target.options["namespace"])
    assert odd.name.startswith("started 20")
    assert "cannot be decoded" in odd.problem
    assert [gap for page in pages for gap in page.gaps] == []
    # The next round passes over it at once.
    before = client_of(reading).counter.reads
    again = pages_of(reading)
    assert client_of(reading).counter.reads - before < 20
    assert [item for page in again for item in page.unreadable] == []


@pytest.mark.temporal
@pytest.mark.parametrize(
    "place",
    [
        "console.clients.temporal.history_reader.visibility_row",
        "console.clients.temporal.history_reader.run_description",
        "observability.engines.temporal.runs.snapshot",
        "observability.engines.temporal.runs.snapshot_of",
    ],
)
def test_a_mistake_of_ours_with_one_run_hides_none_of_its_neighbours(
    reading: Reading, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    async def act(client: Client) -> None:
        for name in ("good-1", "peculiar", "good-2"):
            await begin(client, "quick", id=name)

    at_work(reading, act, worker=False)
    until(lambda: HistoryReader(client_of(reading)).count("TaskQueue = 'odd'") == 3, "")
    module, _, name = place.rpartition(".")
    translate = getattr(importlib.import_module(module), name)

    def stumbles(answer: Any, *more: Any) -> Any:
        if "peculiar" in str(answer):
            raise ArithmeticError("a number of a kind that nobody thought of")
        return translate(answer, *more)

    monkeypatch.setattr(place, stumbles)
    names: set[str] = set()
    problems: set[str] = set()

    def set_aside() -> bool:
        for page in pages_of(reading):
            problems.update(item.problem for item in page.unreadable)
        names.update(name for name, _ in reading.rows.runs)
        return bool(problems) and {"good-1", "good-2"} <= names

    until(set_aside, "it was never met")
    assert any("ArithmeticError" in problem for problem in problems)


@pytest.mark.temporal
def test_a_number_with_an_exponent_beyond_all_decimals_is_its_text(reading: Reading) -> None:
    number = b"1e-99999999999999999999"

    async def act(client: Client) -> None:
        await asyncio.to_thread(start_with_note, reading, "tiny", number)

    at_work(reading, act, worker=False)
    reading.until(lambda: "tiny" in {name for name, _ in reading.rows.runs})


def start_with_note(reading: Reading, name: str, data: bytes) -> None:
    """A workflow with a memo of this JSON."""
    note = Payload(metadata={"encoding": b"json/plain"}, data=data)
    request = StartWorkflowExecutionRequest(
        namespace=str(reading.target.options["namespace"]),
        workflow_id=name,
        workflow_type=WorkflowType(name="Odd"),
        task_queue=TaskQueue(name="nobody"),
        request_id=name,
        memo=Memo(fields={"note": note}),
    )
    raw_call(
        reading.target.endpoint,
        "WorkflowService/StartWorkflowExecution",
        request.SerializeToString(),
    )


class OddReader:
    """Cannot decode the row of a run whose id stands otherwise in ours; describes the others."""

    def rows(self, *_: Any, **__: Any) -> VisibilityPage:
        raise Refused("list runs: the answer cannot be decoded", code=UNDECODABLE)

    def describe_all(self, names: list[tuple[str, str]]) -> list[None]:
        self.described = names
        return [None for _ in names]


def test_an_open_run_of_an_odd_id_that_cannot_be_decoded_is_alone() -> None:
    known = Rows()
    for number, name in enumerate(("good-1", "odd-\ufffd", "good-2"), start=1):
        run = snapshot(row(number, END), "default")
        run = replace(run, external_id=name, run_id=str(uuid.UUID(int=number)))
        known.keep(replace(run, status=Status.RUNNING, closed_at=None), ())
    reader = OddReader()
    reading = NamespacePass(cast(HistoryReader, reader), "default", known, read({}))
    ended = [run.external_id for run in reading.open_runs(END, None)]
    assert ended == ["good-1", "good-2"]
    assert [item.name for item in reading.page(()).unreadable] == ["odd-\ufffd"]


def client_of(reading: Reading) -> TemporalClient:
    return client_for(reading.target)


def deep_failure(levels: int) -> bytes:
    """A chain of causes deeper than a parser goes."""
    inner = field(1, b"bottom")
    for _ in range(levels):
        inner = field(1, b"outer") + field(4, inner)
    return inner + field(5, field(1, b"Deep"))


@pytest.mark.temporal
def test_a_failure_too_deep_to_decode_stops_no_other_run(reading: Reading) -> None:
    async def act(client: Client) -> None:
        await begin(client, "deep", id="deep")
        await begin(client, "quick", id="good")
        await fail_deeply(client, reading.target.endpoint)

    at_work(reading, act, worker=False)
    names: list[str] = []

    def set_aside() -> bool:
        names.extend(item.name for page in pages_of(reading) for item in page.unreadable)
        return "deep" in names

    until(set_aside, "it was never met")
    assert {run.status for run in reading.rows.runs.values()} == {Status.RUNNING}
    with pytest.raises(Refused):
        reading.fetch(next(name for name in reading.rows.runs if name[0] == "deep"))
    reading.fetch(next(name for name in reading.rows.runs if name[0] == "good"))


async def fail_deeply(client: Client, address: str) -> None:
    """Lets the activity of the first workflow task on the queue fail with a deep failure."""
    service, namespace = client.workflow_service, client.namespace
    queue = TaskQueue(name="odd")
    while True:
        task = await service.poll_workflow_task_queue(
            PollWorkflowTaskQueueRequest(namespace=namespace, task_queue=queue, identity="t")
        )
        schedule = ScheduleActivityTaskCommandAttributes(
            activity_id="1",
            activity_type=ActivityType(name="charge"),
            task_queue=TaskQueue(name="deep"),
            start_to_close_timeout=Duration(seconds=60),
            schedule_to_close_timeout=Duration(seconds=600),
        )
        command = Command(
            command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
            schedule_activity_task_command_attributes=schedule,
        )
        is_deep = task.workflow_execution.workflow_id == "deep"
        await service.respond_workflow_task_completed(
            RespondWorkflowTaskCompletedRequest(
                namespace=namespace,
                task_token=task.task_token,
                commands=[command] if is_deep else [],
            )
        )
        if is_deep:
            break
    polled = await service.poll_activity_task_queue(
        PollActivityTaskQueueRequest(
            namespace=namespace, task_queue=TaskQueue(name="deep"), identity="t"
        )
    )
    request = RespondActivityTaskFailedRequest(task_token=polled.task_token, namespace=namespace)
    number = RespondActivityTaskFailedRequest.DESCRIPTOR.fields_by_name["failure"].number
    raw = request.SerializeToString() + field(number, deep_failure(150))
    await asyncio.to_thread(raw_call, address, "WorkflowService/RespondActivityTaskFailed", raw)


class Poisoned:
    """A namespace in which some rows cannot be decoded, and where each query stands."""

    def __init__(self, rows: list[VisibilityRow], bad: set[str]) -> None:
        self._rows, self._bad, self.queries = rows, bad, 0

    def _between(self, query: str) -> list[VisibilityRow]:
        at = [part.split("'")[1] for part in query.split(" AND ") if ">=" in part]
        end = [part.split("'")[1] for part in query.split(" AND ") if "<" in part]
        first = datetime.fromisoformat(at[0])
        last = datetime.fromisoformat(end[0]) if end else datetime.max.replace(tzinfo=UTC)
        return [item for item in self._rows if item.closed_at and first <= item.closed_at < last]

    def count(self, query: str) -> int:
        self.queries += 1
        return len(self._between(query))

    def rows(self, query: str, *, size: int = 1000, token: bytes = b"") -> VisibilityPage:
        self.queries += 1
        rows = self._between(query)
        if any(item.run_id in self._bad for item in rows):
            raise Refused("a field of another type", code=UNDECODABLE)
        return VisibilityPage(tuple(rows), b"")


def walk(there: Poisoned, known: list[BlindSpot] | None = None) -> tuple[set[str], list[BlindSpot]]:
    begin = END - timedelta(days=30)
    pages = list(
        visibility_pages(there, "CloseTime IS NOT NULL", "CloseTime", begin, END, known or [])
    )
    assert pages[-1].ends_at == END
    ends = [page.ends_at for page in pages if page.ends_at is not None]
    assert ends == sorted(ends)
    run_ids = {item.run_id for page in pages for item in page.rows}
    return run_ids, [blind_spot for page in pages for blind_spot in page.blind_spots]


def test_each_run_that_cannot_be_decoded_is_found_alone() -> None:
    rows = [row(n, END - timedelta(hours=n, microseconds=n)) for n in range(40)]
    bad = {"r3", "r17", "r39"}
    there = Poisoned(rows, bad)
    run_ids, blind_spots = walk(there)
    assert run_ids == {item.run_id for item in rows} - bad
    assert all(blind_spot.is_one for blind_spot in blind_spots)
    assert {blind_spot.begins_at for blind_spot in blind_spots} == {
        item.closed_at for item in rows if item.run_id in bad
    }
    queries, there.queries = there.queries, 0
    again, repeated = walk(there, blind_spots)
    assert (again, repeated) == (run_ids, [])
    assert there.queries < queries / 5


def test_a_flood_of_what_cannot_be_decoded_is_given_up_in_bounded_time() -> None:
    rows = [row(n, END - timedelta(milliseconds=n)) for n in range(900)]
    there = Poisoned(rows, {item.run_id for item in rows})
    begin = END - timedelta(seconds=30)
    pages = list(visibility_pages(there, "CloseTime IS NOT NULL", "CloseTime", begin, END))
    assert there.queries < 2 * visibility.MOST_HALVINGS + 10
    blind_spots = [blind_spot for page in pages for blind_spot in page.blind_spots]
    assert any(not blind_spot.is_one for blind_spot in blind_spots)
    assert pages[-1].ends_at == END


def test_a_run_of_a_clock_ahead_of_ours_is_found_too() -> None:
    rows = [row(0, END + timedelta(seconds=5)), row(1, END - timedelta(seconds=5))]
    run_ids, blind_spots = walk(Poisoned(rows, {"r0"}))
    assert run_ids == {"r1"}
    assert [blind_spot.begins_at for blind_spot in blind_spots] == [END + timedelta(seconds=5)]
