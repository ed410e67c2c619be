"""Refusals are counted of a Job, not of the Events that the cluster keeps for an hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observability.engines.contracts import DENIALS, EventKind, KnownRun
from observability.engines.kubernetes.runs import run_of
from observability.engines.kubernetes.state import JobSnapshot
from tests.observability.engines.kubernetes.described_jobs import NOW, at, job, of_kind

Object = dict[str, Any]
MESSAGE = (
    'Error creating: pods "j-abc" is forbidden: exceeded quota: q, requested: requests.cpu=1, '
    "used: requests.cpu=3, limited: requests.cpu=3"
)


def refused(uid: str, first: str, last: str, count: int) -> Object:
    """An Event that counts up."""
    return {
        "metadata": {"name": uid, "uid": uid, "namespace": "acme"},
        "reason": "FailedCreate",
        "message": MESSAGE,
        "firstTimestamp": at(first),
        "lastTimestamp": at(last),
        "count": count,
    }


def counts_after(*looks: list[Object], known: Object | None = None) -> list[int]:
    """The number of refusals after each look at the Events, each on top of the one before."""
    attributes: Mapping[str, Any] = {DENIALS: known} if known else {}
    counts = []
    for warnings in looks:
        snapshot = JobSnapshot(job(), (), warnings, known=KnownRun(attributes=attributes))
        attributes = run_of(snapshot, NOW).attributes
        counts.append(attributes[DENIALS]["count"])
    return counts


def test_an_event_that_begins_once_another_is_forgotten_counts_on() -> None:
    first = refused("E1", "09:00:00", "10:00:00", 41)
    later = refused("E2", "10:30:00", "11:50:00", 20)
    assert counts_after([first], [later], [later]) == [41, 61, 61]


def test_an_event_that_counts_up_counts_what_is_new_of_it() -> None:
    first = refused("E1", "09:00:00", "10:00:00", 41)
    begun, on = (refused("E2", "10:30:00", last, count) for last, count in
                 (("10:40:00", 5), ("11:50:00", 20)))  # fmt: skip
    assert counts_after([first], [first, begun], [begun], [on], [on]) == [41, 46, 46, 61, 61]


def test_events_of_one_second_that_are_read_one_after_the_other_are_all_counted() -> None:
    events = [refused(f"E{number}", "09:00:00", "09:00:00", 1) for number in range(5)]
    assert counts_after(events[:3], events) == [3, 5]


def test_an_event_that_tells_of_another_reason_counts_for_it_what_came_since() -> None:
    first = refused("E1", "09:00:00", "10:00:00", 10)
    raised = {**refused("E1", "09:00:00", "10:05:00", 15)}
    raised["message"] = MESSAGE.replace("limited: requests.cpu=3", "limited: requests.cpu=2")
    more = {**raised, "lastTimestamp": at("10:09:00"), "count": 18}
    again = {**first, "lastTimestamp": at("10:20:00"), "count": 20}
    assert counts_after([first], [raised], [more], [again]) == [10, 15, 18, 20]


def test_a_reason_that_came_up_later_began_later() -> None:
    first = refused("E1", "09:00:00", "10:00:00", 10)
    raised = {**refused("E1", "09:00:00", "10:05:00", 15)}
    raised["message"] = MESSAGE.replace("limited: requests.cpu=3", "limited: requests.cpu=2")
    known = KnownRun(attributes=run_of(JobSnapshot(job(), (), [first]), NOW).attributes)
    run = run_of(JobSnapshot(job(), (), [raised], known=known), NOW)
    (denied,) = of_kind(run, EventKind.DENIED)
    assert (denied.at.isoformat(), denied.detail["count"]) == ("2026-11-30T10:05:00+00:00", 5)
    assert run.attributes[DENIALS]["first_at"] == "2026-11-30T09:00:00+00:00"


def test_more_events_than_are_remembered_are_not_counted_twice() -> None:
    events = [refused(f"E{n}", f"09:{n:02d}:00", f"09:{n:02d}:00", 1) for n in range(40)]
    more = refused("later", "10:00:00", "10:00:00", 2)
    assert counts_after(events, events, [*events, more], events[20:]) == [40, 40, 42, 42]


def test_what_was_counted_before_events_were_told_apart_is_not_counted_twice() -> None:
    reason = {"count": 41, "first_at": at("09:00:00"), "last_at": at("10:00:00")}
    event = refused("E1", "09:30:00", "10:00:00", 30)
    (id,) = [item["id"] for item in reasons_of(event)]
    known = {**reason, "reasons": [{"id": id, **reason}]}
    newer = refused("E2", "10:30:00", "11:50:00", 20)
    assert counts_after([event], [newer], known=known) == [41, 61]


def reasons_of(*warnings: Object) -> list[Object]:
    run = run_of(JobSnapshot(job(), (), warnings), NOW)
    return list(run.attributes[DENIALS]["reasons"])
