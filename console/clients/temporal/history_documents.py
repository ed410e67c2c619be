"""Histories in the forms that Temporal's own tools accept."""

from __future__ import annotations

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory

from console.errors import Refused


def history_json(document: bytes) -> bytes:
    """The JSON of `temporal workflow show -o json`, which the SDK's WorkflowHistory.from_json and
    the upload of Temporal's UI accept too, from a serialized History.

    Raises Refused (code `malformed_history`) when the document is none.
    """
    history = History()
    try:
        history.ParseFromString(document)
    except DecodeError as problem:
        raise Refused(f"not a history: {problem}"[:300], code="malformed_history") from None
    return json_format.MessageToJson(history).encode()


def history_document(content: bytes | str) -> bytes:
    """A serialized History from that JSON (or from what older tools and the UI wrote); unknown
    fields of newer servers are left out.

    Raises Refused (code `malformed_history`) when it is none, or has no events.
    """
    try:
        parsed = WorkflowHistory.from_json(
            "", content if isinstance(content, str) else content.decode()
        )
        history = History(events=parsed.events)
    except (
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        json_format.Error,
        RecursionError,
    ) as bad:
        # What is no history at all fails in as many ways as the SDK has steps.
        raise Refused(f"not a history: {bad}"[:300], code="malformed_history") from None
    if not history.events:
        raise Refused("this history has no events", code="malformed_history")
    return history.SerializeToString(deterministic=True)
