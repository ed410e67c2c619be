"""Handing a task to a queue as Celery's own clients do (message protocol 2), without the app."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import kombu

from console.clients.celery.records import Sent
from console.errors import NotFound

DEFAULT_QUEUE: Final = "celery"


def send(
    connection: Any,
    *,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    queue: str,
    uuid: str = "",
    headers: Mapping[str, str] | None = None,
    parent_id: str = "",
    root_id: str = "",
) -> Sent:
    """Publishes a task; it waits in the queue whether or not a worker is there."""
    uuid = uuid or str(uuid4())
    where = queue or DEFAULT_QUEUE
    untyped: Any = kombu
    channel = connection.default_channel
    if connection.transport.driver_type != "redis":
        _must_exist(connection, channel, where)
    untyped.Producer(channel, auto_declare=False).publish(
        (list(args), dict(kwargs), dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))),
        # Straight to the queue: declaring it here could contradict how the app declares it.
        exchange="",
        routing_key=where,
        serializer="json",
        delivery_mode=2,
        retry=False,
        correlation_id=uuid,
        reply_to="",
        headers={
            **(headers or {}),
            "lang": "py",
            "task": name,
            "id": uuid,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": root_id or uuid,
            "parent_id": parent_id or None,
            "argsrepr": repr(tuple(args)),
            "kwargsrepr": repr(dict(kwargs)),
            "origin": f"{os.getpid()}@{socket.gethostname()}",
            "ignore_result": False,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
        },
    )
    return Sent(uuid, name, where)


def _must_exist(connection: Any, channel: Any, queue: str) -> None:
    """An AMQP broker drops what is sent to a queue that nobody made."""
    try:
        channel.queue_declare(queue, passive=True)
    except connection.channel_errors:
        raise NotFound(f"there is no queue {queue}") from None
