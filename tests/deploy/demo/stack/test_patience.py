"""Slow is told from hung: by what a part did and wanted to do, not by the clock."""

from __future__ import annotations

import pytest

from deploy.demo.stack import patience
from deploy.demo.stack.patience import SLOWEST, Activity, Patience, machine_slowness

LIMIT = 60.0
HOUR = 3600


def waited_for(
    patience: Patience,
    share: float = 0.0,
    *,
    starved: float = 0.0,
    log: int = 0,
    on_disk: bool = False,
    slowness: float = 1.0,
    waits: bool = False,
    at_most: int = HOUR,
) -> tuple[int, str]:
    """Seconds until it is not waited for any longer, and why; it spends these shares of each second
    on a processor and waiting for one, and writes so many bytes."""
    patience.begin(0.0)
    for second in range(1, at_most + 1):
        activity = Activity(second * share, second * starved, second * log, on_disk)
        late = patience.observe(float(second), activity, slowness=slowness, waits=waits)
        if late:
            return second, late
    return at_most, ""


def test_one_that_hangs_is_given_up_after_its_limit() -> None:
    assert waited_for(Patience(LIMIT)) == (61, "was not ready and did nothing for 61 s")


def test_one_that_asks_in_vain_is_given_up_too() -> None:
    seconds, why = waited_for(Patience(LIMIT), share=0.01)
    assert (seconds, why) == (61, "was not ready and did nothing for 61 s")


def test_one_that_gets_a_thirtieth_of_a_processor_is_left_alone_for_as_long_as_it_takes() -> None:
    """Sixty programs on two processors: it runs 2 s of each minute, and wants to all the time."""
    patience = Patience(LIMIT)
    assert waited_for(patience, share=1 / 30, starved=29 / 30, slowness=SLOWEST) == (
        1801,
        "was not ready after 60 s of processor time",
    )
    assert patience.idle == 0


def test_one_that_waits_for_its_disk_is_left_alone() -> None:
    assert waited_for(Patience(LIMIT), on_disk=True) == (HOUR, "")


def test_one_that_runs_in_circles_is_given_up_by_the_time_that_it_used() -> None:
    assert waited_for(Patience(LIMIT), share=1.5) == (
        41,
        "was not ready after 62 s of processor time",
    )


def test_one_that_only_writes_its_log_is_given_four_times_as_long() -> None:
    seconds, why = waited_for(Patience(LIMIT), log=200)
    assert (seconds, why) == (241, "was not ready and did nothing for 60 s")


def test_one_whose_need_is_being_started_again_is_not_given_up() -> None:
    assert waited_for(Patience(LIMIT), waits=True) == (HOUR, "")


def test_a_slow_machine_stretches_the_time_in_which_nothing_happens() -> None:
    assert waited_for(Patience(LIMIT), slowness=10.0)[0] == 601


def test_each_try_is_given_twice_as_long() -> None:
    patience = Patience(LIMIT)
    seconds = []
    for _ in range(3):
        seconds.append(waited_for(patience)[0])
        patience.tries += 1
    assert seconds == [61, 121, 241]


def test_work_of_children_that_ended_is_not_counted_against_those_that_run() -> None:
    patience = Patience(LIMIT)
    patience.begin(0.0)
    patience.observe(1.0, Activity(processor=5.0), slowness=1.0, waits=False)
    patience.observe(2.0, Activity(processor=1.0), slowness=1.0, waits=False)
    assert patience.idle == 1.0


def test_a_start_that_takes_long_says_how_it_spends_its_time() -> None:
    patience = Patience(LIMIT)
    waited_for(patience, share=0.1, starved=0.8, at_most=30)
    assert patience.note(30) == "30 s, of which 3.0 s on a processor and 24 s waiting for one"
    waited_for(patience, share=0.5, at_most=20)
    assert patience.note(20) == "20 s, of which 10.0 s on a processor"


@pytest.mark.parametrize(
    ("load", "processors", "slowness"), [(0.3, 2, 1.0), (6.0, 2, 3.0), (600.0, 2, SLOWEST)]
)
def test_a_machine_is_as_slow_as_programs_want_its_processors(
    monkeypatch: pytest.MonkeyPatch, load: float, processors: int, slowness: float
) -> None:
    monkeypatch.setattr(patience, "machine_load", lambda: (load, processors))
    assert machine_slowness() == slowness
