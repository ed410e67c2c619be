"""Runs of unusual shape on a real server, as the trail tells them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
)
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair
from temporalio.common import TypedSearchAttributes as Typed
from temporalio.converter import DataConverter, PayloadCodec

from observability.engines.contracts import (
    EventKind,
    FailureKind,
    LinkKind,
    RunEvent,
    RunSnapshot,
    Status,
    run_key,
)
from tenants.adapters.temporal import client_for
from tests.observability.engines.temporal.memory_reader import Reading
from tests.observability.engines.temporal.odd_workflows import (
    ENCODING,
    QUEUE,
    at_work,
    begin,
    finish,
)

pytestmark = pytest.mark.temporal


def read(reading: Reading, name: str, number: int = 1) -> RunSnapshot:
    """The latest of the runs of a workflow, once there are so many and their histories are read."""
    reading.until(lambda: len(_told(reading, name)) >= number)
    return _told(reading, name)[-1]


def _told(reading: Reading, name: str) -> list[RunSnapshot]:
    return [run for run in reading.rows.of(name) if reading.rows.story(run)]


def story(reading: Reading, run: RunSnapshot, kind: EventKind) -> list[RunEvent]:
    return [event for event in reading.rows.story(run) if event.kind is kind]


def test_a_failure_that_was_encoded_as_json_is_read(reading: Reading) -> None:
    name = at_work(reading, lambda client: finish(client, "fails"), data_converter=ENCODING)
    run = read(reading, name)
    assert run.failure == "PaymentError: card 17 was declined"
    assert run.failure_kind is FailureKind.APPLICATION
    failed = story(reading, run, EventKind.ATTEMPT_FAILED)
    assert failed[-1].message == "PaymentError: card 17 was declined"
    assert "charge" in failed[-1].detail["stack"]


class Encrypting(PayloadCodec):
    """Like the samples' codec, but for the encryption."""

    async def encode(self, payloads):  # type: ignore[no-untyped-def]
        return [
            Payload(metadata={"encoding": b"binary/encrypted"}, data=item.SerializeToString())
            for item in payloads
        ]

    async def decode(self, payloads):  # type: ignore[no-untyped-def]
        return [Payload.FromString(item.data) for item in payloads]


def test_a_failure_that_was_encrypted_is_said_to_be(reading: Reading) -> None:
    converter = DataConverter(
        failure_converter_class=ENCODING.failure_converter_class, payload_codec=Encrypting()
    )
    memo = {"headroom.request_id": "req-7"}
    name = at_work(
        reading, lambda client: finish(client, "fails", memo=memo), data_converter=converter
    )
    run = read(reading, name)
    why = "encrypted by a codec; a codec server is not configured"
    assert run.failure == f"PaymentError: {why}"
    created = story(reading, run, EventKind.CREATED)[0]
    assert created.detail["input"][0]["note"] == why
    assert LinkKind.REQUEST not in run.links


def test_thirty_notes_in_the_memo_do_not_hide_the_request(reading: Reading) -> None:
    memo = {f"note{n}": "x" * 300 for n in range(30)} | {"headroom.request_id": "req-7"}
    name = at_work(reading, lambda client: finish(client, "quick", memo=memo))
    assert read(reading, name).links[LinkKind.REQUEST] == "req-7"


def test_long_search_attributes_do_not_hide_the_tenant(reading: Reading) -> None:
    names = [f"Note{letter}" for letter in "ABC"]
    client_for(reading.target).ensure_search_attributes(dict.fromkeys(names, "Text"))
    pairs = [SearchAttributePair(SearchAttributeKey.for_keyword("TenantId"), "acme")]
    pairs += [SearchAttributePair(SearchAttributeKey.for_text(n), "lorem " * 333) for n in names]
    typed = Typed(pairs)
    name = at_work(reading, lambda client: finish(client, "quick", search_attributes=typed))
    assert read(reading, name).tenant == "acme"


def test_whole_numbers_keep_all_their_digits(reading: Reading) -> None:
    name = at_work(reading, lambda client: finish(client, "bigint"))
    done = story(reading, read(reading, name), EventKind.SUCCEEDED)[0]
    assert done.detail["result"] == [
        {"id": "1180591620717411303425", "safe": "9007199254740993", "price": 0.1}
    ]


def test_a_start_delay_is_told_with_its_end(reading: Reading) -> None:
    delay = timedelta(hours=24)
    before = datetime.now(UTC)
    name = at_work(reading, lambda client: begin(client, "quick", start_delay=delay), worker=False)
    run = read(reading, name)
    assert run.status is Status.WAITING
    assert run.hold is not None
    assert run.hold.reason == "start delay"
    assert run.hold.until is not None
    assert timedelta(0) <= run.hold.until - before - delay < timedelta(minutes=5)


def test_a_cron_schedule_is_told_with_the_next_time(reading: Reading) -> None:
    name = at_work(
        reading, lambda client: begin(client, "quick", cron_schedule="0 3 * * *"), worker=False
    )
    run = read(reading, name)
    assert run.status is Status.WAITING
    assert run.hold is not None
    assert run.hold.until is not None
    assert (run.hold.reason, run.hold.until.strftime("%H:%M")) == ("cron", "03:00")
    assert "cron schedule 0 3 * * *" in reading.rows.story(run)[0].title


def test_a_run_that_its_retry_policy_continues_says_so_on_both_sides(reading: Reading) -> None:
    policy = RetryPolicy(initial_interval=timedelta(hours=3), maximum_attempts=3)

    async def act(client: Client) -> str:
        name = await begin(client, "fails itself", retry_policy=policy)
        await asyncio.to_thread(read, reading, name, 2)
        return name

    name = at_work(reading, act)
    second = read(reading, name, 2)
    first = reading.rows.of(name)[0]
    reading.until(lambda: reading.rows.of(name)[0].status is Status.FAILED)
    first = reading.rows.of(name)[0]
    assert first.failure == "PaymentError: card 17 was declined"
    (onward,) = story(reading, first, EventKind.CONTINUED)
    assert onward.title == f"Its retry policy goes on with run {second.run_id}"
    assert second.status is Status.WAITING
    assert second.hold is not None
    assert second.hold.reason == "retry 1 after PaymentError: card 17 was declined"
    assert second.hold.until is not None
    assert second.hold.until - second.created_at == pytest.approx(
        timedelta(hours=3), abs=timedelta(seconds=1)
    )
    assert second.attempts == 2
    chain = run_key("temporal", first.location, name, first.run_id)
    assert first.links[LinkKind.CHAIN] == second.links[LinkKind.CHAIN] == chain


def test_a_run_of_a_schedule_names_it(reading: Reading) -> None:
    async def act(client: Client) -> str:
        action = ScheduleActionStartWorkflow("Odd", "quick", id="nightly-run", task_queue=QUEUE)
        handle = await client.create_schedule("nightly", Schedule(action, ScheduleSpec()))
        await handle.trigger()
        return "nightly-run"

    at_work(reading, act, worker=False)
    reading.until(lambda: bool(reading.rows.runs))
    run = next(iter(reading.rows.runs.values()))
    run = read(reading, run.external_id)
    assert run.started_by == "schedule nightly"
    assert "started by schedule nightly, for 20" in reading.rows.story(run)[0].title


def test_what_an_activity_fails_with_is_the_failure_of_its_run_meanwhile(reading: Reading) -> None:
    async def act(client: Client) -> RunSnapshot:
        name = await begin(client, "keeps failing")
        await asyncio.to_thread(
            reading.until, lambda: any(run.failure for run in reading.rows.of(name))
        )
        failing = reading.rows.of(name)[0]
        await client.get_workflow_handle(name).terminate()
        return failing

    run = at_work(reading, act)
    assert (run.status, run.failure_kind) == (Status.RUNNING, FailureKind.APPLICATION)
    assert run.failure == "PaymentError: card 17 was declined"
    assert not run.is_well


def test_an_activity_that_nobody_takes_names_its_queue(reading: Reading) -> None:
    async def act(client: Client) -> str:
        name = await begin(client, "waits for nobody")
        await asyncio.to_thread(
            reading.until,
            lambda: any(story(reading, run, EventKind.SCHEDULED) for run in reading.rows.of(name)),
        )
        return name

    run = reading.rows.of(at_work(reading, act))[0]
    (scheduled,) = story(reading, run, EventKind.SCHEDULED)
    assert scheduled.title == "Scheduled charge in nobody-polls"
    assert story(reading, run, EventKind.ATTEMPT_STARTED) == []


def test_a_timer_says_until_when(reading: Reading) -> None:
    async def act(client: Client) -> str:
        name = await begin(client, "sleeps")
        await asyncio.to_thread(
            reading.until,
            lambda: any(
                story(reading, run, EventKind.TIMER_STARTED) for run in reading.rows.of(name)
            ),
        )
        return name

    run = reading.rows.of(at_work(reading, act))[0]
    (timer,) = story(reading, run, EventKind.TIMER_STARTED)
    until = timer.at + timedelta(hours=2)
    assert timer.title.startswith("Timer of 2 h, until ")
    assert f"{until:%H:%M:%S} UTC" in timer.title
