"""One bound for all that a request asks of other systems."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from console import deadline
from console.clients import bridge
from console.deadline import RESERVE, ContextPool, bounded, in_time, is_over, left, within
from console.errors import OutOfTime, Unreachable
from console.middleware import Deadline
from tests.waiting import HANGS


async def hang() -> None:
    """An answer that does not come."""
    await asyncio.sleep(HANGS)  # clock: stands for a server that hangs; nobody waits for it


def test_without_a_deadline_a_call_has_its_own_timeout() -> None:
    assert (left(), bounded(60.0), is_over()) == (None, 60.0, False)


def test_a_call_gets_its_own_timeout_or_what_is_left_but_for_the_reserve() -> None:
    with within(100):
        assert bounded(10.0) == 10.0
        assert 98 - RESERVE < bounded(500.0) <= 100 - RESERVE
    assert left() is None


def test_when_nothing_is_left_nothing_is_asked() -> None:
    with within(RESERVE):
        assert is_over()
        with pytest.raises(OutOfTime, match="no time left"):
            bounded(10.0)


def test_a_deadline_within_another_is_never_later() -> None:
    with within(50), within(500):
        remaining = left()
        assert remaining is not None
        assert remaining <= 50


def test_threads_that_work_for_a_request_have_its_deadline() -> None:
    with within(50), ContextPool(max_workers=2) as pool:
        assert None not in list(pool.map(lambda _: left(), range(4)))
    with ContextPool(max_workers=2) as pool:
        assert pool.submit(left).result() is None


def test_a_client_waits_no_longer_than_the_request_that_needs_it() -> None:
    began = time.monotonic()
    with within(RESERVE + 0.1), pytest.raises(OutOfTime):
        bridge.run(hang, HANGS)
    with within(RESERVE), pytest.raises(OutOfTime):
        bridge.run(hang, HANGS)
    assert time.monotonic() - began < HANGS


def test_several_calls_in_a_row_get_no_more_than_one_would() -> None:
    ended, calls = threading.Event(), []

    def slowly() -> None:
        for number in range(1000):
            calls.append(number)
            ended.wait(0.2)  # clock: each for itself is in time

    with within(RESERVE + 0.3), pytest.raises(OutOfTime):
        in_time(slowly)
    ended.set()
    assert len(calls) < 1000


def test_what_a_call_raises_in_time_is_its_own() -> None:
    def late() -> None:
        raise TimeoutError("its own")

    with within(500), pytest.raises(TimeoutError, match="its own"):
        in_time(late)
    with pytest.raises(TimeoutError, match="its own"):
        in_time(late)


def test_where_nobody_waits_the_caller_does_it_itself() -> None:
    assert in_time(threading.get_ident) == threading.get_ident()
    with within(500):
        assert in_time(threading.get_ident) != threading.get_ident()


def test_a_request_has_five_seconds_unless_the_operator_says_otherwise(settings: Settings) -> None:
    assert int(os.environ.get("REQUEST_SECONDS", 5)) == settings.REQUEST_SECONDS
    assert settings.REQUEST_SECONDS < settings.TARGET_TIMEOUT_SECONDS


def test_a_client_that_used_its_own_time_says_that_the_system_did_not_answer() -> None:
    with within(500), pytest.raises(Unreachable) as caught:
        bridge.run(hang, 0.05)  # clock: its own time is over first, whatever the machine does
    assert not isinstance(caught.value, OutOfTime)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_requests_that_change_something_have_a_deadline(method: str, settings: Settings) -> None:
    settings.REQUEST_SECONDS = 77
    remaining = seen_by(method)
    assert remaining is not None
    assert 70 < remaining <= 77


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_requests_that_only_read_have_none(method: str) -> None:
    assert seen_by(method) is None


def seen_by(method: str) -> float | None:
    """What is left inside a view."""
    inside: list[float | None] = []

    def view(_: HttpRequest) -> HttpResponse:
        inside.append(deadline.left())
        return HttpResponse()

    Deadline(view)(RequestFactory().generic(method, "/"))
    return inside[0]
