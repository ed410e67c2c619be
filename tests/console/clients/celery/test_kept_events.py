"""What a Redis keeps of an app's events for its readers: by whom, how much, and what is missing."""

from __future__ import annotations

import os
import signal
import time

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from console.clients.celery import keeper_books, keeping, redis_events
from console.clients.celery.client import CeleryClient
from console.clients.celery.keeper_books import Books
from console.clients.celery.keeping import StreamToKeep
from console.clients.celery.kept_events import (
    FORGOTTEN,
    MOST_BYTES,
    MOST_MESSAGE,
    MOST_SECONDS,
    packed,
    position_of,
    state_key,
    unpacked,
)
from console.errors import Refused
from tests.console.clients.celery.stream_reader import Reader, keepers, raw
from tests.observability.engines.celery.played import publish
from tests.servers import valkey as own_valkey
from tests.waiting import PATIENCE, until


def forget_keeper() -> None:
    """As another process, which has none yet."""
    keeping._process = None


def kill_keeper() -> None:
    """As the kernel does when memory is short."""
    process = keeping._process
    assert process is not None
    os.kill(process._child.pid, signal.SIGKILL)
    until(lambda: not process.runs())


def test_what_comes_while_nobody_reads_is_read_by_the_next_one(reader: Reader, url: str) -> None:
    reader.killed()
    publish(url, "06-rejected-task")
    reader.read(lambda: "rejected-1" in reader.ids)
    assert reader.ids.count("rejected-1") == 3
    assert reader.causes == []


def test_a_broker_that_only_a_credential_names_is_kept_too(
    url: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping.end()  # the next one has the variable
    monkeypatch.setenv("HEADROOM_CRED_BROKER", url)
    reader = Reader("", queue, credential="env:HEADROOM_CRED_BROKER")
    reader.read()
    publish(url, "06-rejected-task")
    reader.read(lambda: "rejected-1" in reader.ids)
    assert reader.causes == []


def test_a_credential_that_may_not_be_named_is_refused_by_the_keeper_too(
    url: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping.end()
    monkeypatch.setenv("ELSEWHERE_BROKER", url)
    wanted = StreamToKeep(queue, queue, "", "env:ELSEWHERE_BROKER", PATIENCE, "celeryev")
    with pytest.raises(Refused, match="names have to begin with HEADROOM_CRED_"):
        keeping.keep(wanted)


def test_what_was_not_stored_is_read_again(reader: Reader, url: str) -> None:
    position, at_us = reader.position, reader.at_us
    publish(url, "06-rejected-task")
    reader.read(lambda: "rejected-1" in reader.ids)
    reader.position, reader.at_us = position, at_us  # its transaction was rolled back
    reader.killed()
    reader.read(lambda: len(reader.ids) == 6)
    assert reader.causes == []


def test_what_is_stored_is_kept_no_more(reader: Reader, url: str) -> None:
    publish(url, "06-rejected-task")
    reader.read(lambda: "rejected-1" in reader.ids)
    reader.read(lambda: raw(url).xlen(reader.queue) == 0)


def test_two_readers_of_one_stream_each_read_everything(reader: Reader, url: str) -> None:
    other = Reader(url, reader.queue)
    other.position, other.at_us = reader.position, reader.at_us
    other.read()
    publish(url, "06-rejected-task")
    for one in (other, reader):
        one.read(lambda: len(one.ids) >= 3)  # noqa: B023 - at once
        assert one.ids == ["rejected-1"] * 3


def test_what_a_copy_of_our_data_took_before_us_is_a_gap(reader: Reader, url: str) -> None:
    copy = Reader(url, reader.queue)
    copy.position, copy.at_us = reader.position, reader.at_us
    publish(url, "06-rejected-task")
    copy.read(lambda: "rejected-1" in copy.ids)
    copy.read(lambda: raw(url).xlen(reader.queue) == 0)
    reader.killed()
    reader.read(lambda: reader.causes)
    assert reader.causes == [redis_events.READ_ELSEWHERE]


def test_a_keeper_that_was_killed_is_started_again_and_what_it_missed_is_told(
    reader: Reader, url: str
) -> None:
    kill_keeper()
    reader.read(lambda: reader.causes)
    assert reader.causes == ["No keeper listened"]
    publish(url, "06-rejected-task")
    reader.read(lambda: "rejected-1" in reader.ids)


def test_with_a_second_keeper_nothing_is_missing_when_the_first_is_killed(
    reader: Reader, url: str, queue: str
) -> None:
    (first,) = keepers(queue, url)
    mine = keeping._process
    keeping._process = None  # another process, as a replica that waits for its turn
    CeleryClient(url).events().keep(queue)
    (second,) = keepers(queue, url).keys() - {first}
    since = keepers(queue, url)[second].since
    until(lambda: keepers(queue, url)[first].at > since)
    publish(url, "06-rejected-task")
    reader.read(lambda: "rejected-1" in reader.ids)
    assert reader.ids.count("rejected-1") == 3  # both heard them
    keeping._process, other = mine, keeping._process
    kill_keeper()
    publish(url, "05-ignored-task")
    proven = since + keeper_books.PROVEN_MS + 2000
    reader.read(lambda: "after-ignored" in reader.ids and keepers(queue, url)[second].at > proven)
    assert reader.causes == []
    assert other is not None
    other.order(end=True)


def test_a_keeper_outlives_its_parent_until_another_one_listens(url: str, queue: str) -> None:
    keeping.end()  # so that this one keeps nothing else
    reader = Reader(url, queue)
    reader.read()
    old = keeping._process
    assert old is not None
    assert old._child.stdin is not None
    old._child.stdin.close()  # its parent was killed
    forget_keeper()
    reader.killed()
    publish(url, "06-rejected-task")
    reader.read(lambda: "rejected-1" in reader.ids)
    assert reader.causes == []
    until(lambda: old._child.poll() is not None, "it did not end although it is relieved")
    publish(url, "05-ignored-task")
    reader.read(lambda: "after-ignored" in reader.ids)
    assert reader.causes == []


def test_a_reader_that_only_looks_in_leaves_no_keeper_and_tells_the_time_between(
    url: str, queue: str
) -> None:
    reader = Reader(url, queue)
    for _ in range(3):
        reader.read()
        process = keeping._process
        assert process is not None
        keeping.end()
        until(lambda: process._child.poll() is not None)  # noqa: B023 - at once
        reader.killed()
    reader.read(lambda: len(reader.causes) >= 2)
    assert set(reader.causes) == {"No keeper listened"}


def test_a_keeper_without_parent_and_broker_ends(queue: str) -> None:
    forget_keeper()
    with own_valkey() as server:
        Reader(server.url, queue).read()
        process = keeping._process
        assert process is not None
        assert process._child.stdin is not None
        process._child.stdin.close()
    until(lambda: process._child.poll() is not None)
    forget_keeper()


def test_a_broker_that_loses_its_memory_is_a_gap(queue: str) -> None:
    with own_valkey(persistent=False) as server:
        reader = Reader(server.url, queue)
        reader.read()
        server.restart()
        reader.read(lambda: reader.causes)
        assert reader.causes == [redis_events.GONE]
        publish(server.url, "06-rejected-task")
        reader.read(lambda: "rejected-1" in reader.ids)
        keeping.drop(queue)


def test_a_broker_that_is_emptied_while_we_read_is_a_gap(
    reader: Reader, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_events, "_MARK", 0.0)
    raw(url).delete(reader.queue, state_key(reader.queue))
    reader.read(lambda: reader.causes)
    publish(url, "06-rejected-task")
    reader.read(lambda: "rejected-1" in reader.ids)


def test_a_deleted_stream_leaves_nothing_behind(reader: Reader, url: str) -> None:
    reader.stream.delete(reader.queue)
    assert not raw(url).keys(f"{reader.queue}*")


def test_a_message_that_is_too_large_is_said_to_have_come(reader: Reader, url: str) -> None:
    raw(url).publish("/1.celeryev/task.multi", b"x" * (MOST_MESSAGE + 1))
    raw(url).publish("/1.celeryev/task.multi", b"no message")
    problems: list[str] = []

    def enough() -> bool:
        problems.extend(event.problem for event in reader.batches[-1].unreadable)
        return len(problems) >= 2

    reader.read(enough)
    assert sorted(problems) == [
        "a message of 8,388,609 bytes, which is not kept",
        "no message as Celery sends them",
    ]


# -- bounds ---------------------------------------------------------------------------------------


@pytest.fixture
def books(url: str, queue: str) -> Books:
    """Of a keeper that keeps nothing itself."""
    kept = Books(raw(url), queue, "test")
    kept.open("celeryev")
    return kept


def fill(url: str, queue: str, *ages: float) -> list[str]:
    """Entries that came so many seconds ago; their ids."""
    now = time.time()
    ids = [f"{round((now - age) * 1e3)}-0" for age in ages]
    for entry, age in zip(ids, ages, strict=True):
        fields = {"at": round((now - age) * 1e6), "messages": packed([b"x"])}
        raw(url).xadd(queue, fields, entry)
    return ids


def test_what_waits_for_longer_than_is_said_is_dropped_and_told(
    books: Books, reader: Reader, url: str, queue: str
) -> None:
    before = position_of(reader.position)
    assert before is not None
    old = fill(url, queue, MOST_SECONDS + 60, MOST_SECONDS + 30, 60)
    state = books.beat(has_parent=True)
    assert [entry.decode() for entry, _ in raw(url).xrange(queue)] == old[2:]
    state = books.beat(has_parent=True)
    assert state.entry("cut") == old[1]
    behind = Reader(url, queue)
    behind.position, behind.at_us = f"{before.epoch}/{old[0]}", 1
    behind.read(lambda: behind.causes)
    assert behind.causes == [redis_events.TOO_MANY]
    ahead = Reader(url, queue)
    ahead.position, ahead.at_us = f"{before.epoch}/{old[1]}", 1
    ahead.read(lambda: len(ahead.batches) > 1)
    assert ahead.causes == []


def test_of_too_much_the_older_half_is_dropped(
    books: Books, url: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(url, queue, *range(100, 0, -1))
    monkeypatch.setattr(Books, "_size", lambda _self: MOST_BYTES)
    books.beat(has_parent=True)
    assert raw(url).xlen(queue) == 100
    monkeypatch.setattr(Books, "_size", lambda _self: MOST_BYTES + 1)
    books.beat(has_parent=True)
    assert 40 < raw(url).xlen(queue) < 60


def test_the_broker_forgets_by_itself_what_nobody_keeps(books: Books, url: str, queue: str) -> None:
    fill(url, queue, 1)
    books.beat(has_parent=True)
    for key in (queue, state_key(queue)):
        assert 0 < raw(url).ttl(key) <= FORGOTTEN


@given(st.lists(st.binary(max_size=3000)))
def test_what_is_packed_is_unpacked(messages: list[bytes]) -> None:
    assert list(unpacked(packed(messages))) == messages


@given(st.binary())
def test_what_is_not_packed_unpacks_to_something_or_nothing(text: bytes) -> None:
    for kind in (b"", b"p", b"z"):
        assert sum(map(len, unpacked(kind + text))) <= len(text)


def test_a_text_that_unpacks_to_more_than_there_can_be_is_nothing() -> None:
    bomb = b"z" + zstandard.ZstdCompressor().compress(b"\0" * 10**8)
    assert list(unpacked(bomb)) == []


@pytest.mark.parametrize("junk", ["", "/", "a/", "a/b", "a/1", "a/1-x", "/1-1", "a/²-1"])
def test_what_is_no_position_is_none(junk: str) -> None:
    assert position_of(junk) is None
