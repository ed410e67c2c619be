"""Replaying in a process of its own: what it finds out, and that nothing it does can hold us."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from console.clients.temporal.replay.runner import Bounds, Bundle, ReplayProcess, ReplayVerdict
from console.errors import Refused
from tests.console.clients.temporal.replay.bundles.invoice_v1 import Invoice
from tests.servers import temporal_server
from tests.waiting import PATIENCE

BUNDLES = str(Path(__file__).parent / "bundles")
GENEROUS = Bounds(seconds=PATIENCE, start_seconds=PATIENCE)


@activity.defn(name="do")
async def do(step: str) -> str:
    return step


async def record_invoice(address: str) -> bytes:
    """Runs an Invoice to its end; its history, serialised."""
    client = await Client.connect(address)
    async with Worker(
        client,
        task_queue="replay",
        workflows=[Invoice],
        activities=[do],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await client.start_workflow(
            Invoice.run,
            7,
            id=uuid.uuid4().hex,
            task_queue="replay",
            execution_timeout=timedelta(seconds=PATIENCE),
        )
        await handle.result()
    return History(events=(await handle.fetch_history()).events).SerializeToString()


@pytest.fixture(scope="module")
def document() -> Iterator[bytes]:
    """The history of an Invoice that build 1 has run."""
    with temporal_server() as server:
        yield asyncio.run(record_invoice(server.address))


def process(module: str, bounds: Bounds = GENEROUS) -> ReplayProcess:
    return ReplayProcess(Bundle(modules=(module,), paths=(BUNDLES,)), bounds)


@pytest.mark.temporal
def test_the_code_that_ran_it_is_deterministic(document: bytes) -> None:
    with process("invoice_v1") as replaying:
        assert replaying.start().workflows == ("Invoice",)
        first, second = (replaying.replay("a", document) for _ in range(2))
    assert (first.verdict, second.verdict) == (
        ReplayVerdict.DETERMINISTIC,
        ReplayVerdict.DETERMINISTIC,
    )


@pytest.mark.temporal
def test_code_of_workers_without_a_sandbox_is_replayed_without_it(
    document: bytes, tmp_path: Path
) -> None:
    code = (Path(BUNDLES) / "invoice_v1.py").read_text()
    (tmp_path / "flows.py").write_text(f"{code}\nimport random\nSEED = random.random()\n")
    with ReplayProcess(Bundle(("flows",), (str(tmp_path),)), GENEROUS) as replaying:
        outcome = replaying.replay("a", document)
    assert outcome.verdict is ReplayVerdict.DETERMINISTIC


@pytest.mark.temporal
def test_another_activity_is_named_beside_what_the_history_has(document: bytes) -> None:
    with process("invoice_v2") as replaying:
        outcome = replaying.replay("a", document)
    events = {event.event_id: event for event in History.FromString(document).events}
    assert outcome.verdict is ReplayVerdict.DIVERGED
    event = events[outcome.event_id]
    assert EventType.Name(event.event_type) == "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"
    assert event.activity_task_scheduled_event_attributes.activity_id == "receipt"
    assert outcome.event_type == "ActivityTaskScheduled"
    assert outcome.expected == "schedule activity do (id receipt)"
    assert outcome.actual == "schedule activity do (id e-mail)"
    assert "TMPRL1100" in outcome.message


@pytest.mark.temporal
def test_another_kind_of_step_is_named_too_and_the_process_goes_on(document: bytes) -> None:
    with process("invoice_longer") as replaying:
        outcome = replaying.replay("a", document)
        again = replaying.replay("a", document)
    assert outcome.verdict is ReplayVerdict.DIVERGED
    assert outcome.expected == "schedule activity do (id charge)"
    assert outcome.actual == "start a timer of 5 s"
    assert again.actual == outcome.actual


@pytest.mark.temporal
def test_a_history_cut_off_at_its_end_still_replays(document: bytes) -> None:
    events = History.FromString(document).events
    with process("invoice_v1") as replaying:
        for length in (2, 4, len(events) - 1):
            cut = History(events=events[:length]).SerializeToString()
            assert replaying.replay("a", cut).verdict is ReplayVerdict.DETERMINISTIC


@pytest.mark.temporal
def test_what_would_hang_the_sdk_is_refused_with_its_reason(document: bytes) -> None:
    events = History.FromString(document).events
    cases = {
        "at least 2 events": History().SerializeToString(),
        "this one has 1": History(events=events[:1]).SerializeToString(),
        "beginning is missing": History(events=events[3:]).SerializeToString(),
        "out of order": History(events=[*events[:3], *events[5:]]).SerializeToString(),
        "no history": b"\xff\xff not protobuf",
    }
    with process("invoice_v1") as replaying:
        for words, broken in cases.items():
            outcome = replaying.replay("a", broken)
            assert outcome.verdict is ReplayVerdict.MALFORMED
            assert words in outcome.message


@pytest.mark.temporal
def test_an_unknown_workflow_is_a_failure_that_names_it(document: bytes) -> None:
    history = History.FromString(document)
    history.events[0].workflow_execution_started_event_attributes.workflow_type.name = "Audit"
    with process("invoice_v1") as replaying:
        outcome = replaying.replay("a", history.SerializeToString())
    assert outcome.verdict is ReplayVerdict.FAILED
    assert "Audit" in outcome.message


@pytest.mark.temporal
def test_code_that_never_ends_is_killed_and_the_next_history_gets_a_new_process(
    document: bytes,
) -> None:
    never = Bounds(seconds=4, start_seconds=PATIENCE)  # clock: it never ends
    with process("endless", never) as replaying:
        for _ in range(2):
            outcome = replaying.replay("a", document)
            assert outcome.verdict in {ReplayVerdict.TIMED_OUT, ReplayVerdict.FAILED}
            assert outcome.message


def test_a_history_of_nonsense_events_comes_back_within_the_bound() -> None:
    events = [
        HistoryEvent(event_id=number, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
        for number in (1, 2, 3)
    ]
    bounds = Bounds(seconds=8, start_seconds=PATIENCE)  # clock: it need not answer
    with process("invoice_v1", bounds) as replaying:
        outcome = replaying.replay("a", History(events=events).SerializeToString())
    assert outcome.verdict in {ReplayVerdict.FAILED, ReplayVerdict.TIMED_OUT, ReplayVerdict.CRASHED}


def test_a_bundle_has_no_network_and_sees_none_of_our_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_KEY", "not for bundles")
    with process("talkative") as replaying:
        contents = replaying.start()
    assert contents.isolated
    (findings,) = contents.workflows
    assert findings.count("PermissionError") == 3
    assert "Operation not permitted" in findings
    assert findings.endswith("no secret")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("hungry", "MemoryError"),
        ("broken", "RuntimeError: no database here"),
        ("leaving", "exit status 7"),
        ("empty_handed", "no class with @workflow.defn in empty_handed"),
        ("no.such.module", "ModuleNotFoundError"),
    ],
)
def test_a_bundle_that_cannot_be_imported_says_why(module: str, words: str) -> None:
    with process(module) as replaying, pytest.raises(Refused, match=words) as refused:
        replaying.start()
    assert refused.value.code == "bundle_import"


def test_a_bundle_that_never_finishes_importing_is_killed() -> None:
    with (
        process("sleeping", Bounds(start_seconds=3)) as replaying,  # clock: it never answers
        pytest.raises(Refused, match="longer than 3 s"),
    ):
        replaying.start()


def test_nothing_is_left_open_or_running() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for module in ("invoice_v1", "broken"):
        with process(module) as replaying:
            try:
                replaying.start()
            except Refused:
                assert module == "broken"
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
