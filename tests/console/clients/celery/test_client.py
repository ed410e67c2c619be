"""What a broker says of its queues."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import kombu
import pytest

from console.clients.celery.client import CeleryClient
from tests.servers import ValkeyServer


@pytest.mark.parametrize("steps", [None, list(range(10)), [5]])
def test_messages_of_all_priorities_are_counted_whatever_steps_the_app_has(
    valkey: ValkeyServer, steps: list[int] | None
) -> None:
    url, queue = valkey.url.removesuffix("/0") + "/12", f"steps-{uuid4().hex}"
    untyped: Any = kombu
    options = {} if steps is None else {"priority_steps": steps}
    with untyped.Connection(url, transport_options=options) as connection:
        producer = untyped.Producer(connection.default_channel, auto_declare=False)
        for priority in range(10):
            producer.publish({}, routing_key=queue, serializer="json", priority=priority)
    assert CeleryClient(url).waiting_in([queue, "nobodys"]) == {queue: 10, "nobodys": 0}
