"""Waiting longer and longer, and never too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.backoff import backoff


@pytest.mark.parametrize(("failures", "seconds"), [(0, 4), (1, 4), (2, 8), (3, 16), (20, 3600)])
def test_each_failure_doubles_the_wait(failures: int, seconds: float) -> None:
    assert backoff(failures, first=4, longest=3600) == seconds


@given(attempts=st.integers(0, 10_000), jitter=st.floats(0, 0.999))
def test_waiting_never_exceeds_one_and_a_half_times_the_cap(attempts: int, jitter: float) -> None:
    wait = backoff(attempts, first=1, longest=300, spread=0.5 + jitter)
    assert 0.5 <= wait <= 450
