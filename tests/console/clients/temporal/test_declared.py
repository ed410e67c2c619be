"""What is text to Headroom is read first, whatever else a run carries."""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.workflow.v1 import WorkflowExecutionInfo

from console.clients.temporal.declared import OURS, declared, unread
from console.clients.temporal.runs import visibility_row
from observability.engines import contracts


def payload(content: Any, encoding: bytes = b"json/plain") -> Payload:
    return Payload(metadata={"encoding": encoding}, data=json.dumps(content).encode())


def test_the_names_are_those_of_the_trail() -> None:
    names = {contracts.TENANT_ATTRIBUTE, contracts.PARENT_MEMO, contracts.REQUEST_MEMO}
    assert {*names, contracts.TRACE_MEMO} <= set(OURS)


def test_thirty_notes_take_nothing_from_what_is_ours() -> None:
    info = WorkflowExecutionInfo()
    for number in range(30):
        info.memo.fields[f"note{number}"].CopyFrom(payload("x" * 300))
    info.memo.fields["headroom.request_id"].CopyFrom(payload("req-7"))
    for name in ("NoteA", "NoteB", "NoteC"):
        info.search_attributes.indexed_fields[name].CopyFrom(payload("lorem " * 333))
    for number in range(30):
        info.search_attributes.indexed_fields[f"Word{number}"].CopyFrom(payload("w" * 250))
    info.search_attributes.indexed_fields["TenantId"].CopyFrom(payload("acme"))
    row = visibility_row(info)
    assert row.memo["headroom.request_id"] == "req-7"
    assert row.attributes["TenantId"] == "acme"
    assert len(row.memo) <= 21
    assert len(json.dumps(row.memo)) < 10_000


@pytest.mark.parametrize(
    ("value", "text"),
    [("acme", "acme"), (["acme"], "acme"), (7, "7"), ([7], "7"), (True, ""), (None, ""),
     (["a", "b"], ""), ([], ""), ({"tenant": "acme"}, ""), (1.5, "")],
)  # fmt: skip
def test_a_number_or_a_list_of_one_is_read_as_what_it_means(value: Any, text: str) -> None:
    assert declared("TenantId", {}, {"TenantId": value}) == text


def test_the_first_place_that_says_it_counts() -> None:
    assert declared("n", {"n": "attribute"}, {"n": "memo"}) == "attribute"
    assert declared("n", {"n": []}, {"n": "memo"}) == "memo"


def test_what_a_codec_had_is_told_as_unread() -> None:
    info = WorkflowExecutionInfo()
    info.memo.fields["headroom.request_id"].CopyFrom(payload("?", b"binary/encrypted"))
    row = visibility_row(info)
    assert declared("headroom.request_id", row.attributes, row.memo) == ""
    why = unread("headroom.request_id", row.attributes, row.memo)
    assert why == "encrypted by a codec; a codec server is not configured"
    assert unread("headroom.trace_id", row.attributes, row.memo) == ""
