"""A run that goes on no more is ended, and says what it was doing."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from tests.stalls import LIMIT, StallGuard


def worker(pid: int) -> SimpleNamespace:
    """As much of pytest-xdist's controller of a worker as the guard looks at."""
    return SimpleNamespace(
        gateway=SimpleNamespace(_io=SimpleNamespace(popen=SimpleNamespace(pid=pid)))
    )


@pytest.fixture
def aborted() -> list[int]:
    return []


@pytest.fixture
def guard(aborted: list[int]) -> StallGuard:
    guard = StallGuard(aborted.append)
    for pid in (12, 11):
        guard.pytest_testnodeready(worker(pid))
    guard.pytest_runtest_logstart("tests/test_a.py::test_ends")
    guard.pytest_runtest_logstart("tests/test_a.py::test_hangs")
    guard.pytest_runtest_logfinish("tests/test_a.py::test_ends")
    return guard


def test_a_run_that_moves_is_left_alone(guard: StallGuard, aborted: list[int]) -> None:
    guard.look(time.monotonic())
    assert aborted == []


def test_a_run_that_stalls_has_its_workers_aborted_and_says_what_was_under_way(
    guard: StallGuard, aborted: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    later = time.monotonic() + LIMIT
    guard.look(later)
    assert aborted == [11, 12]
    assert capfd.readouterr().err.strip() == (
        "No test began or ended for 20 min. Under way: tests/test_a.py::test_hangs"
    )
    guard.look(later + LIMIT / 2)
    assert aborted == [11, 12], "the workers that came after them are given their time"
    guard.look(later + LIMIT)
    assert aborted == [11, 12] * 2


def test_a_worker_that_has_ended_is_not_signalled(guard: StallGuard, aborted: list[int]) -> None:
    guard.pytest_testnodedown(worker(11))
    guard.look(time.monotonic() + LIMIT)
    assert aborted == [12]
