"""Stopping anywhere, servers that are away, and names that mean harm."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from temporalio.client import Client

from console.clients.temporal.listing import Listing
from console.clients.temporal.token_bucket import TokenBucket
from console.errors import ExternalError, Unreachable
from deploy.demo.workloads.temporal_endings import Order
from observability.engines.contracts import Status, TrailGap
from observability.engines.temporal import visibility, with_histories
from observability.engines.temporal.cursor import Cursor
from observability.engines.temporal.source import TemporalSource
from tenants.adapters.temporal import client_for
from tests.observability.engines.temporal.conftest import new_namespace, target_of
from tests.observability.engines.temporal.memory_reader import Reading, Rows
from tests.observability.engines.temporal.start_workflows import start, with_worker, without_worker
from tests.servers import temporal_server

pytestmark = pytest.mark.temporal

HOSTILE = [
    "it's-a-'quote'",
    'double"quote" OR 1=1; --',
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "ünïcödé-💥-\u202etxt.exe",
    "line\nbreak\ttab",
    "{{ 7 * 7 }}{% load x %}",
    "%s%n%x",
    "x" * 900,
]


def end_many(reading: Reading, count: int) -> set[str]:
    async def act(client: Client) -> set[str]:
        handles = await asyncio.gather(
            *(start(client, "InvoiceFlow", Order("acme", n)) for n in range(count))
        )
        await asyncio.gather(*(handle.result() for handle in handles))
        return {handle.id for handle in handles}

    names = with_worker(reading, act)
    assert isinstance(names, set)
    return names


@pytest.mark.parametrize("steps", [1, 3])
def test_reading_that_stops_anywhere_loses_and_doubles_nothing(
    reading: Reading, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    names = end_many(reading, 24)
    # Beginning anew so often asks more than one reader may of a server that others use too.
    shared = Listing(client_for(reading.target))._shared
    monkeypatch.setattr(shared, "bucket", TokenBucket(90, 35.0))
    monkeypatch.setattr(visibility, "FULL", 9)
    monkeypatch.setattr(with_histories, "MOST_RUNS", 4)
    whole = Reading(TemporalSource(), reading.target)
    whole.catch_up()
    for _ in range(200):
        # A new process knows nothing but the rows and the cursor.
        reading = Reading(TemporalSource(), reading.target, reading.rows)
        for page in islice(reading.pages(), steps):
            assert len(page.runs) <= 4
            reading.rows.store(page)
        if reading.rows.caught_up:
            break
    assert {external_id for external_id, _ in reading.rows.runs} == names
    assert reading.rows.events == whole.rows.events
    assert all(run.status is Status.SUCCEEDED for run in reading.rows.runs.values())


def test_what_was_given_but_not_stored_is_given_again(reading: Reading) -> None:
    names = end_many(reading, 3)
    first = [run.external_id for page in reading.pages() for run in page.runs]
    again = [run.external_id for page in reading.pages() for run in page.runs]
    assert set(first) == set(again) == names


def test_short_histories_come_along_with_their_document(reading: Reading) -> None:
    end_many(reading, 2)
    reading.catch_up()
    came = list(reading.rows.runs.items())
    assert len(came) == 2
    for name, run in came:
        assert not run.needs_history
        fetched = reading.fetch(name, after=0)
        assert fetched.document == run.document
        assert fetched.events == run.events


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_just_a_name(reading: Reading, name: str) -> None:
    async def act(client: Client) -> None:
        handle = await start(client, name, Order(name, 1), id=name)
        await handle.signal(name, name)
        await handle.terminate(reason=name)

    without_worker(reading, act)
    reading.until(lambda: bool(reading.rows.of(name)))
    run = reading.rows.of(name)[0]
    assert run.type == name[:199] + "…" if len(name) > 200 else run.type == name
    assert run.failure == name
    story = reading.rows.story(run)
    assert all(len(event.title) <= 200 and len(event.step) <= 255 for event in story)
    assert story[1].detail["input"] == [name]


def test_a_server_that_is_away_is_an_error_to_try_again(tmp_path: Path) -> None:
    with temporal_server(db_file=tmp_path / "temporal.db") as server:
        target = target_of(server.address, new_namespace(server.address))
        reading = Reading(TemporalSource(), target)
        names = end_many(reading, 3)
        reading.catch_up()
        name = next(iter(reading.rows.runs))
        server.stop()
        with pytest.raises(Unreachable) as away:
            list(reading.pages())
        assert away.value.retryable
        with pytest.raises(Unreachable):
            reading.fetch(name, after=0)
        server.start()
        names |= end_many(reading, 2)
        reading.until(lambda: len(reading.rows.runs) == 5)
        assert {external_id for external_id, _ in reading.rows.runs} == names


def test_a_namespace_that_is_not_there_is_refused(temporal_address: str) -> None:
    reading = Reading(TemporalSource(), target_of(temporal_address, "nowhere"))
    with pytest.raises(ExternalError) as refused:
        list(reading.pages())
    assert not refused.value.retryable


def test_open_runs_of_another_namespace_are_left_alone(reading: Reading) -> None:
    handle = without_worker(reading, lambda client: start(client, "ApprovalFlow", Order("a", 1)))
    reading.until(lambda: bool(reading.rows.of(handle.id)))
    elsewhere = Rows()
    run = reading.rows.of(handle.id)[0]
    elsewhere.keep(replace(run, location="elsewhere", run_id="gone"), ())
    moved = Reading(TemporalSource(), reading.target, elsewhere)
    moved.catch_up()
    assert moved.rows.runs[handle.id, "gone"].status is run.status


def test_who_was_away_for_longer_than_runs_are_kept_says_what_may_be_missing(
    reading: Reading,
) -> None:
    names = end_many(reading, 2)
    left = datetime.now(UTC) - timedelta(days=3)
    reading.rows.cursor = Cursor(closed=left, started=left, current=True).stored()
    gaps: list[TrailGap] = []
    for page in reading.pages():
        gaps += page.gaps
        reading.rows.store(page)
    (gap,) = gaps
    assert gap.starts_at == left
    # The namespace keeps runs for a day.
    assert abs((gap.ends_at - left).total_seconds() - 2 * 86400) < 60
    assert {external_id for external_id, _ in reading.rows.runs} == names
    assert [gap for page in reading.pages() for gap in page.gaps] == []
