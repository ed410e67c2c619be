"""Titles that depend on how something went."""

from __future__ import annotations

from console.clients.temporal.records import Failure
from observability.engines.contracts import EventKind
from observability.engines.temporal.history import reduce_history
from tests.observability.engines.temporal.test_history import REFUSED, event


def told(kind: str, failure: Failure | None = None) -> tuple[str, str, str]:
    (only,) = reduce_history([event(6, kind, ref=5, subject="u1", failure=failure)]).events
    return only.title, only.message, only.step


def test_an_update_that_raised_failed() -> None:
    kind = "workflow_execution_update_completed"
    assert told(kind) == ("Update u1 completed", "", "update-u1")
    assert told(kind, REFUSED) == ("Update u1 failed", "CardRefused: card refused", "update-u1")


def test_an_operation_that_could_not_be_asked_to_cancel_says_why() -> None:
    title = "Operation could not be asked to cancel"
    kind = "nexus_operation_cancel_request_failed"
    assert told(kind, REFUSED) == (title, "CardRefused: card refused", "nexus-5")
    (note,) = reduce_history([event(6, "nexus_operation_cancel_request_completed", ref=5)]).events
    assert (note.kind, note.title) == (EventKind.NOTE, "Operation was asked to cancel")
