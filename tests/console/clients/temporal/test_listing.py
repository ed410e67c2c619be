"""Pages of visibility: as large as fits, and what an answer that came and cannot be taken means."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from console.clients.temporal import connection, listing, workflow_service
from console.clients.temporal.client import TemporalClient
from console.clients.temporal.connection import TOO_LARGE, UNDECODABLE
from console.clients.temporal.history_reader import HistoryReader
from console.clients.temporal.listing import Listing
from console.errors import ExternalError, Refused, Throttled, Unreachable
from tests.waiting import until

# As the SDK and the server say it.
DECOMPRESSED = "Error decompressing: size limit, of 134217728 bytes, exceeded while decompressing"
LENGTH = "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes"
TYPE = (
    "failed to decode Protobuf message: Payload.metadata: Memo.fields: WorkflowExecutionInfo.memo: "
    "ListWorkflowExecutionsResponse.executions: delimited length exceeded"
)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (RPCStatusCode.RESOURCE_EXHAUSTED, DECOMPRESSED, (Refused, TOO_LARGE)),
        (RPCStatusCode.OUT_OF_RANGE, LENGTH, (Refused, TOO_LARGE)),
        (RPCStatusCode.INTERNAL, TYPE, (Refused, UNDECODABLE)),
        (RPCStatusCode.RESOURCE_EXHAUSTED, "rate limit exceeded", (Throttled, "throttled")),
        (RPCStatusCode.INTERNAL, "history shard is gone", (Unreachable, "unreachable")),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_taken_is_not_a_server_that_is_away(
    status: RPCStatusCode, message: str, expected: tuple[type[ExternalError], str]
) -> None:
    problem = connection._typed("list runs", RPCError(message, status, b""), None)
    assert (type(problem), problem.code) == expected


def test_what_cannot_be_decoded_says_where_it_is_wrong() -> None:
    problem = connection._typed("x", RPCError(TYPE, RPCStatusCode.INTERNAL, b""), None)
    assert problem.message.startswith("x: the answer cannot be decoded (Payload.metadata: Memo")
    assert problem.message.endswith("delimited length exceeded)")


@pytest.mark.temporal
def test_rows_with_large_memos_come_in_smaller_pages(
    temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TemporalClient(temporal_address, f"heavy-{uuid.uuid4().hex[:8]}")
    client.register_namespace(retention=86400)
    asyncio.run(_start(temporal_address, client.namespace))
    monkeypatch.setattr(listing, "AT_ONCE", 100_000)
    reader = HistoryReader(client)
    until(lambda: reader.count("") == 30, "visibility never had them all")
    assert len(reader.rows("").rows) == 30
    assert len(reader.rows("").rows) * 10_000 <= 100_000
    names, token = set(), b""
    while True:
        page = reader.rows("", token=token)
        names |= {row.workflow_id for row in page.rows}
        token = page.token
        if not token:
            break
    assert len(names) == 30


async def _start(address: str, namespace: str) -> None:
    client = await Client.connect(address, namespace=namespace)
    for number in range(30):
        memo = {"note": "x" * 10_000}
        await client.start_workflow("Flow", id=f"run-{number}", task_queue="nobody", memo=memo)


@pytest.mark.temporal
def test_a_page_that_nobody_may_hold_is_asked_for_again_with_fewer_rows(
    temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = TemporalClient(temporal_address, f"heavy-{uuid.uuid4().hex[:8]}")
    client.register_namespace(retention=86400)
    sizes = []

    async def call(client: TemporalClient, method: str, request: Any, *rest: Any) -> Any:
        sizes.append(request.page_size)
        if request.page_size > 20:
            raise Refused("size limit", code=TOO_LARGE)
        return await workflow_service.call(client, method, request, *rest)

    monkeypatch.setattr(listing, "call", call)
    reader = HistoryReader(client)
    assert reader.rows("").rows == ()
    assert sizes == [1000, 125, 15]
    assert Listing(client)._shared.size == 15
