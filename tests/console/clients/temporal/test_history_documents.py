"""Histories in the forms of Temporal's own tools."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.client import Client, WorkflowHistory

from console.clients.temporal.client import TemporalClient
from console.clients.temporal.history_documents import history_document, history_json
from console.clients.temporal.history_reader import HistoryReader
from console.errors import Refused
from deploy.demo.parts import programs

STARTED = HistoryEvent(event_id=1, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
STARTED.event_time.FromNanoseconds(1_795_000_000_123_456_789)
STARTED.workflow_execution_started_event_attributes.workflow_type.name = "Flow"
DOCUMENT = History(events=[STARTED]).SerializeToString(deterministic=True)


def test_a_document_survives_the_way_through_json() -> None:
    assert history_document(history_json(DOCUMENT)) == DOCUMENT
    assert history_document(history_json(DOCUMENT).decode()) == DOCUMENT


def test_the_sdk_accepts_the_json() -> None:
    parsed = WorkflowHistory.from_json("w", history_json(DOCUMENT).decode())
    assert parsed.events[0] == STARTED


def test_fields_of_a_newer_server_are_left_out() -> None:
    content = json.loads(history_json(DOCUMENT))
    content["events"][0]["inventedLater"] = {"a": 1}
    content["alsoLater"] = []
    assert history_document(json.dumps(content)) == DOCUMENT


def test_the_json_that_older_tools_wrote_is_understood() -> None:
    content = json.loads(history_json(DOCUMENT))
    content["events"][0]["eventType"] = "WorkflowExecutionStarted"
    assert history_document(json.dumps(content)) == DOCUMENT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing",
        b"[]",
        b"{}",
        b"null",
        b"5",
        b'{"events": []}',
        b'{"events": 5}',
        b'{"events": [5]}',
        b'{"events": [{"eventId": "x"}]}',
        b'{"events": [{"eventTime": "yesterday"}]}',
        b'{"events": [{"workflowExecutionStartedEventAttributes": 3}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"history": {"events": []}}',
    ],
)
def test_what_is_no_history_is_refused(content: bytes) -> None:
    with pytest.raises(Refused) as refused:
        history_document(content)
    assert refused.value.code == "malformed_history"


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    with contextlib.suppress(Refused):
        history_json(content)


@pytest.mark.temporal
def test_the_json_is_that_of_the_command_line(temporal_address: str) -> None:
    name = f"shown-{uuid.uuid4().hex[:8]}"

    async def start() -> str:
        client = await Client.connect(temporal_address)
        handle = await client.start_workflow("Flow", {"a": 1}, id=name, task_queue="nobody")
        await handle.signal("go", "on")
        await handle.terminate(reason="over")
        return handle.first_execution_run_id or ""

    run_id = asyncio.run(start())
    history = HistoryReader(TemporalClient(temporal_address)).history(name, run_id)
    assert history.closed
    assert history.document is not None
    command = ["workflow", "show", "--address", temporal_address, "-w", name, "-o", "json"]
    shown = subprocess.run(
        [str(programs.temporal()), *command], capture_output=True, check=True, timeout=120
    ).stdout
    assert json.loads(history_json(history.document)) == json.loads(shown)
    assert history_document(shown) == history.document
