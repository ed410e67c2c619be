"""A Job that was deleted and is still there: since when that was asked for, and which finalizer
holds it. After argo-workflows#10840 and #12621, for Jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from observability.engines.contracts import DELETION, EventKind, RunSnapshot, Status
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from tests.observability.engines.kubernetes.described_jobs import (
    NOW,
    at,
    condition,
    ended,
    job,
    of_kind,
    pod,
    runs,
)

KEPT = "billing.example.com/invoice"
DELETED = {"deletionTimestamp": at("09:10:00"), "deletionGracePeriodSeconds": 0}
DONE = {"succeeded": 1, "conditions": [condition("Complete", "09:05:00")]}


def deleted(
    *finalizers: str, status: Any = None, pods: Any = (), before: str = "", gone: bool = False
) -> RunSnapshot:
    """A Job whose deletion was asked for at 09:10."""
    given = job(
        status, metadata={**DELETED, "finalizers": [*finalizers]}, ttlSecondsAfterFinished=5
    )
    return run_of(JobSnapshot(given, pods, before=before, deleted=gone), NOW)


def cleanups(run: RunSnapshot) -> list[tuple[str, str]]:
    """What is told of its removal."""
    return [(event.title, event.message) for event in of_kind(run, EventKind.CLEANUP)]


@pytest.mark.parametrize(("status", "state"), [(DONE, Status.SUCCEEDED),
                                               ({"active": 1}, Status.RUNNING)])  # fmt: skip
def test_a_finalizer_that_nobody_takes_out_is_named(status: Any, state: Status) -> None:
    pods = [] if status is DONE else [pod("a", runs(), phase="Running")]
    run = deleted(KEPT, status=status, pods=pods)
    still = ": 1 pod is still there" if pods else ""
    assert run.status is state
    assert run.cleaned_at is None
    assert run.attributes[DELETION]["asked_at"] == "2026-11-30T09:10:00+00:00"
    assert run.attributes[DELETION]["finalizers"] == [KEPT]
    # In place of "Clean-up overdue", which was due at 09:05:05.
    assert cleanups(run) == [
        (
            "Deletion asked for, held",
            f"Deletion asked at 2026-11-30 09:10:00 UTC, held by finalizer {KEPT}{still}.",
        )
    ]


def test_a_deletion_in_the_foreground_waits_for_its_pods_and_what_holds_these() -> None:
    waiting = pod("a", runs(), phase="Running", **DELETED)
    (cleanup,) = cleanups(deleted("foregroundDeletion", pods=[waiting]))
    assert cleanup[1].endswith("held by finalizer foregroundDeletion: 1 pod is still there.")
    waiting["metadata"]["finalizers"] = [KEPT]
    (cleanup,) = cleanups(deleted("foregroundDeletion", "orphan", pods=[waiting]))
    assert cleanup[1].endswith(
        f"held by finalizers foregroundDeletion, orphan: pod a is held by finalizer {KEPT}."
    )


def test_what_a_finalizer_held_is_gone_when_it_goes_not_when_it_was_asked() -> None:
    held = deleted(KEPT, status=DONE)
    gone = deleted(status=DONE, before=held.revision, gone=True)
    assert gone.cleaned_at == NOW
    assert DELETION not in gone.attributes
    assert deleted(status=DONE, gone=True).cleaned_at == datetime(2026, 11, 30, 9, 10, tzinfo=UTC)


def test_a_job_that_was_held_before_it_had_ended_was_deleted_when_it_went() -> None:
    held = deleted(KEPT, pods=[pod("a", ended("main", 0, "09:04:00"), phase="Succeeded")])
    gone = deleted(before=held.revision, gone=True)
    assert (gone.status, gone.closed_at) == (Status.DELETED, NOW)
