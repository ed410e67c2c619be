"""A stream of Celery task events as workers send them, made beforehand and published at once.

`python -m tests.bench.celery_events publish URL TASKS` says that it is ready, waits for a line, and
publishes; `answer URL` answers for the workers when they are asked for their queues, as real ones
do. Most tasks succeed, some after a retry; some fail, a few are revoked. Clients send one event a
message, workers send theirs in lists of up to ten, as Celery does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from random import Random
from typing import Any, Final

import kombu
from kombu.pidbox import Mailbox

WORKERS: Final = tuple(f"worker-{number}@pool-{number % 4}" for number in range(8))
CLIENT: Final = "gen1@api-1"
BUFFER: Final = 10
"""Events that a worker of Celery gathers before it sends them."""
SIDE_BY_SIDE: Final = 200
"""Tasks that are under way at the same time."""
CHUNK: Final = 200
TYPES: Final = ("invoices.charge", "mail.send", "reports.render", "feeds.crawl")
Event = dict[str, Any]


def tasks(count: int) -> Iterator[list[Event]]:
    """The events of each task in their order, without time and clock."""
    random = Random(8)
    for number in range(count):
        yield list(_task(f"{random.getrandbits(128):032x}", number, random))


def _task(uuid: str, number: int, random: Random) -> Iterator[Event]:
    name, host = TYPES[number % len(TYPES)], WORKERS[number % len(WORKERS)]
    about = {
        "uuid": uuid,
        "name": name,
        "args": f"({number}, 'tenant-{number % 50:03d}')",
        "kwargs": "{}",
        "root_id": uuid,
        "parent_id": None,
        "eta": None,
        "expires": None,
    }
    sent = {"queue": "celery", "exchange": "", "routing_key": "celery"}
    attempts = 2 if number % 20 == 7 else 1
    for retries in range(attempts):
        yield _event("task-sent", CLIENT, **about, **sent, retries=retries)
        yield _event("task-received", host, **about, retries=retries)
        if number % 100 == 99:
            revoked = {"terminated": False, "signum": None, "expired": False}
            yield _event("task-revoked", host, uuid=uuid, **revoked)
            return
        yield _event("task-started", host, uuid=uuid)
        if retries + 1 < attempts:
            yield _event("task-retried", host, uuid=uuid, **_FAULT)
    if number % 25 == 3:
        yield _event("task-failed", host, uuid=uuid, **_FAULT)
    else:
        took = round(random.random() * 3, 4)
        yield _event("task-succeeded", host, uuid=uuid, result=f"{number * 7}", runtime=took)


_FAULT: Final[Mapping[str, str]] = {
    "exception": "ConnectionError('payments did not answer within 3 s')",
    "traceback": "Traceback (most recent call last):\n"
    + '  File "app/tasks.py", line 41, in charge\n    post(order)\n' * 6
    + "ConnectionError: payments did not answer within 3 s\n",
}


def _event(kind: str, hostname: str, **fields: Any) -> Event:
    return {"type": kind, "hostname": hostname, **fields}


def interleaved(count: int) -> Iterator[Event]:
    """Events of many tasks side by side, each task's own in their order."""
    waiting = tasks(count)
    running = list(islice(waiting, SIDE_BY_SIDE))
    while running:
        going = []
        for events in running:
            yield events.pop(0)
            following = events or next(waiting, [])
            if following:
                going.append(following)
        running = going


def messages(count: int) -> Iterator[list[Event]]:
    """What is sent together: one event of a client, or those that a worker gathered."""
    gathered: dict[str, list[Event]] = {}
    clock, began = 0, time.time()
    for event in interleaved(count):
        clock += 1
        at = began + clock / 10_000
        event.update(timestamp=at, clock=clock, pid=4711, utcoffset=0)
        host = event["hostname"]
        if host == CLIENT:
            yield [event]
            continue
        mine = gathered.setdefault(host, [])
        mine.append(event)
        if len(mine) >= BUFFER:
            yield gathered.pop(host)
    yield from gathered.values()


def events_in(count: int) -> int:
    """How many events there are; each becomes a row."""
    return sum(len(events) for events in tasks(count))


def publish(url: str, count: int) -> None:
    """Through kombu's event exchange. Prints when it began and ended by the machine's own clock."""
    untyped: Any = kombu
    with untyped.Connection(url) as connection:
        channel = connection.default_channel
        exchange = untyped.Exchange("celeryev", type="fanout")
        producer = untyped.Producer(channel, exchange, serializer="json")
        ready = _written(channel, producer, count)
        _say({"ready": len(ready)})
        sys.stdin.readline()
        begun = time.monotonic()
        for start in range(0, len(ready), CHUNK):
            pipe = channel.client.pipeline(transaction=False)
            for topic, payload in ready[start : start + CHUNK]:
                pipe.publish(topic, payload)
            receivers = pipe.execute()
            _say({"begun": begun, "ended": time.monotonic(), "listeners": min(receivers)})


def _written(channel: Any, producer: Any, count: int) -> list[tuple[str, str]]:
    """What kombu would have sent: topics and bodies, kept instead of sent."""
    kept: list[tuple[str, str]] = []

    def keep(exchange: str, message: Any, routing_key: str, **_: Any) -> None:
        text = json.dumps(message)
        kept.extend((topic, text) for topic in channel._get_publish_topics(exchange, routing_key))

    channel._put_fanout = keep
    for events in messages(count):
        alone = len(events) == 1 and events[0]["hostname"] == CLIENT
        body, key = (events[0], "task.sent") if alone else (events, "task.multi")
        producer.publish(body, routing_key=key, delivery_mode=1)
    return kept


def answer(url: str) -> None:
    """Answers for the workers until it is stopped."""
    untyped: Any = kombu
    with untyped.Connection(url) as connection:
        mailbox: Any = Mailbox("celery", type="fanout", accept=["json"])(connection)
        nodes = [
            mailbox.Node(name, handlers={"active_queues": lambda *_, **__: [{"name": "celery"}]})
            for name in WORKERS
        ]
        listening = [node.listen(connection.channel()) for node in nodes]
        _say({"ready": len(listening)})
        while True:
            connection.drain_events()


def _say(what: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "answer":
        answer(sys.argv[2])
    else:
        publish(sys.argv[2], int(sys.argv[3]))
