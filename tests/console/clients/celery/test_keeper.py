"""What a keeper holds, reads and keeps at once is bounded, whatever is sent and answered."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
import redis

from console.clients.celery import records
from console.clients.celery.keeper import Keeping
from console.clients.celery.kept_events import state_key, unpacked
from tests.console.clients.celery.stream_reader import Reader, keepers, raw
from tests.observability.engines.celery.played import send
from tests.waiting import until


def test_a_batch_is_closed_by_how_large_its_messages_are_and_nothing_is_lost(
    url: str, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MOST_READ", 1_000_000)
    text, number = "x" * 300_000, 30
    events = [
        {"type": "task-progress", "uuid": f"u{count}", "timestamp": time.time(), "text": text}
        for count in range(number)
    ]
    send(url, *(json.dumps(event).encode() for event in events))
    reader.read(lambda: len(reader.ids) >= number)
    assert reader.ids == [event["uuid"] for event in events]
    assert max(len(batch.events) for batch in reader.batches) <= 4
    assert reader.causes == []


class BusySubscription:
    """A subscription that always has one more event."""

    def __init__(self) -> None:
        self.read = 0

    def get_message(self, timeout: float) -> dict[str, Any]:
        """The next."""
        del timeout
        self.read += 1
        return {"data": b"%d" % self.read + b"x" * 10_000}


class Unwilling:
    """A broker that takes nothing, as one where the stream's key is something else."""

    def xadd(self, *_: Any) -> None:
        """No."""
        raise redis.ResponseError("WRONGTYPE")


class Willing:
    """One that takes it."""

    messages = b""

    def xadd(self, stream: str, fields: dict[str, Any]) -> None:
        """Yes."""
        assert stream == "s"
        self.messages = fields["messages"]

    def expire(self, *_: Any) -> bool:
        """Yes."""
        return True


def test_what_a_keeper_cannot_write_down_is_bounded() -> None:
    wanted = {
        "key": "k",
        "stream": "s",
        "exchange": "e",
        "endpoint": "redis://nowhere",
        "timeout": 1,
    }
    keeper = Keeping({**wanted, "credential": ""}, threading.Event())
    subscription = BusySubscription()
    for _ in range(500):
        with pytest.raises(redis.ResponseError):
            keeper._take(subscription, Unwilling())
    assert subscription.read == len(keeper._unwritten) < 30
    willing = Willing()
    keeper._flush(willing)
    assert sum(1 for _ in unpacked(willing.messages)) == subscription.read
    assert keeper._unwritten == []


def test_signs_of_keepers_that_nobody_can_have_given_are_forgotten(
    url: str, reader: Reader
) -> None:
    state = state_key(reader.queue)
    invented = {f"keeper:{count}": f"1 {2**53} 1" for count in range(50)}
    raw(url).hset(state, mapping=invented)
    until(lambda: not invented.keys() & {name.decode() for name in raw(url).hkeys(state)})
    assert keepers(reader.queue, url)
