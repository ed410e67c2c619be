"""Event messages of tests/observability/engines/celery/cases, as somebody would send them.

In a file "messages" is a list; each has "events" (sent as one message: one alone, or the list that
workers send) or "raw" (a body as it is), and may have "repeat" (times; "#n" is the number, "step"
seconds are added to the times of each). A timestamp "@+1.5" is the start + 1.5 s, "@ms+0" the same
in milliseconds, which is wrong on purpose. How long to "wait" in between is left to the test.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu

CASES = Path(__file__).with_name("cases")


def bodies(case: str, start: float) -> Iterator[bytes]:
    """The bodies of the messages of a case that begins at `start`, in seconds since 1970."""
    document = json.loads((CASES / f"{case}.json").read_text())
    for message in document["messages"]:
        for number in range(message.get("repeat", 1)):
            if "raw" in message:
                yield message["raw"].replace("@NOW@", repr(start)).encode()
                continue
            events = _stamped(message["events"], start + number * message.get("step", 0), number)
            yield json.dumps(events if len(events) > 1 else events[0]).encode()


def publish(url: str, case: str) -> None:
    """Sends all messages of a case to the event exchange of a Redis, one after the other."""
    send(url, *bodies(case, time.time()))


def send(url: str, *messages: bytes) -> None:
    """Sends messages with these bodies."""
    untyped: Any = kombu
    with untyped.Connection(url) as connection:
        producer = untyped.Producer(
            connection.default_channel, untyped.Exchange("celeryev", type="fanout")
        )
        for body in messages:
            producer.publish(
                body,
                routing_key="task.multi",
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=1,
            )


def _stamped(value: Any, start: float, number: int) -> Any:
    if value == "#n":
        return number
    if isinstance(value, str) and value.startswith("@ms"):
        return (start + float(value[3:])) * 1000
    if isinstance(value, str) and value.startswith("@"):
        return start + float(value[1:])
    if isinstance(value, dict):
        return {key: _stamped(one, start, number) for key, one in value.items()}
    return [_stamped(one, start, number) for one in value] if isinstance(value, list) else value
