"""Looks at a run, whatever the order in which they arrive."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from observability.engines.contracts import (
    FailureKind,
    Hold,
    Progress,
    RunSnapshot,
    Status,
)
from observability.ingest.rules.masking import Masker
from observability.ingest.rules.merge import RunState, merged, state_of
from tests.observability.jobs.factories import NOON, after
from tests.observability.jobs.fakes import look

MASKER = Masker(["password"])
TEXTS = st.sampled_from(["", "x", "y"])
MOMENTS = st.none() | st.integers(0, 3).map(lambda number: after(number))
HOLDS = st.none() | st.builds(Hold, until=MOMENTS, reason=st.sampled_from(["", "cron"]))


@st.composite
def looks(draw: st.DrawFn) -> RunSnapshot:
    """A look at one run, with little or much in it."""
    status = draw(st.sampled_from(list(Status)))
    closed = status not in {Status.WAITING, Status.RUNNING, Status.PAUSED}
    done = draw(st.none() | st.integers(0, 3))
    return look(
        "a",
        status,
        draw(st.sampled_from(["1", "2", "10", "open:3", "closed:3"])),
        created_at=NOON + timedelta(seconds=draw(st.integers(0, 2))),
        began_at=draw(MOMENTS),
        closed_at=draw(MOMENTS) if closed else None,
        queue=draw(TEXTS),
        worker=draw(TEXTS),
        failure=draw(TEXTS),
        failure_kind=draw(st.sampled_from([FailureKind.NONE, FailureKind.TIMEOUT])),
        attempts=draw(st.none() | st.integers(0, 3)),
        is_well=draw(st.booleans()),
        hold=draw(HOLDS),
        cleanup_at=draw(MOMENTS),
        cleaned_at=draw(MOMENTS),
        attributes=draw(st.dictionaries(st.sampled_from("ab"), st.integers(0, 2))),
        progress=None if done is None else Progress(at=after(done), done=done),
    )


def folded(snapshots: list[RunSnapshot]) -> RunState:
    """All of them, one after the other."""
    first, *rest = (
        state_of(snapshot, masker=MASKER, tenant_id=1 if snapshot.worker else None)
        for snapshot in snapshots
    )
    result = first
    for state in rest:
        result = merged(result, state)
    return result


@given(
    st.lists(looks(), min_size=1, max_size=5).flatmap(
        lambda snapshots: st.tuples(st.just(snapshots), st.permutations(snapshots))
    )
)
def test_the_order_of_arrival_does_not_matter(
    both: tuple[list[RunSnapshot], list[RunSnapshot]],
) -> None:
    assert folded(both[0]) == folded(both[1])


@given(st.lists(looks(), min_size=1, max_size=4), st.data())
def test_seeing_a_look_again_changes_nothing(
    snapshots: list[RunSnapshot], data: st.DataObject
) -> None:
    again = data.draw(st.sampled_from(snapshots))
    assert folded([*snapshots, again]) == folded(snapshots)


def test_late_news_does_not_open_a_closed_run() -> None:
    state = folded([look("a", Status.SUCCEEDED, "completed:20"), look("a", revision="running:0")])
    assert state.latest["state"] == ("succeeded", after(60))


def test_the_engine_may_say_that_it_runs_again() -> None:
    state = folded([look("a", Status.FAILED, "7"), look("a", revision="8")])
    assert state.latest["state"] == ("running", None)


def test_what_is_not_known_overwrites_nothing() -> None:
    state = folded([look("a", worker="w1", attempts=2), look("a", revision="2", queue="")])
    assert (state.latest["worker"], state.latest["queue"], state.attempts) == ("w1", "invoices", 2)


def test_a_run_that_succeeded_has_no_failure() -> None:
    state = folded([look("a", failure="boom"), look("a", Status.SUCCEEDED, "2")])
    assert state.latest["failure"] == ""


def test_a_failure_that_is_over_is_gone_and_late_news_does_not_bring_it_back() -> None:
    failing = look("a", revision="2", failure="boom", failure_kind=FailureKind.APPLICATION)
    well = look("a", revision="3", is_well=True)
    for looks_in_order in ([failing, well], [well, failing]):
        latest = folded(looks_in_order).latest
        assert (latest["failure"], latest["failure_kind"]) == ("", "")
    again = look("a", revision="4", failure="boom again")
    assert folded([failing, well, again]).latest["failure"] == "boom again"


def test_what_a_run_is_held_back_for_is_kept_masked() -> None:
    hold = Hold(after(60), "retry 2 after password=hunter2")
    latest = folded([look("a", hold=hold), look("a", revision="2")]).latest
    assert latest["hold"]["until"] == after(60).isoformat()
    assert "hunter2" not in latest["hold"]["reason"]


def test_secrets_and_size_are_dealt_with() -> None:
    state = folded(
        [look("a", Status.FAILED, failure="password=hunter2 " + "x" * 5000, type="t" * 900)]
    )
    assert "hunter2" not in state.latest["failure"]
    assert len(state.latest["failure"]) <= 2000
    assert len(state.latest["type"]) == 200
