"""Celery as the rest of the code sees it: events, remote control and sending over one broker."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from console.clients.celery import control as controlling
from console.clients.celery import publish
from console.clients.celery.connection import Broker
from console.clients.celery.control import NAMESPACE, Control
from console.clients.celery.events import EXCHANGE, EventStream
from console.clients.celery.records import BrokerProbe, Sent

PRIORITIES: Final = 10
"""Of messages, as kombu's Redis transport knows them."""


class CeleryClient:
    """The app behind one broker. Safe to use from many threads and after a fork: every verb has a
    connection of its own, only the event stream keeps one."""

    def __init__(
        self,
        endpoint: str,
        *,
        credential: str = "",
        timeout: float = 10.0,
        control_exchange: str = NAMESPACE,
        event_exchange: str = EXCHANGE,
    ) -> None:
        """`endpoint` is the broker's URL without a password, or `credential` a reference to it."""
        self._broker = Broker(endpoint, credential=credential, timeout=timeout)
        self._namespace = control_exchange
        self._hosts: dict[str, int] = {}
        self._events = EventStream(self._broker, exchange=event_exchange)

    def __repr__(self) -> str:
        return f"CeleryClient({self._broker!r})"

    def events(self) -> EventStream:
        """The stream of events; one reader at a time."""
        return self._events

    @contextmanager
    def control(self, *, wait: float | None = None) -> Iterator[Control]:
        """Remote control over one connection; workers get `wait` seconds to answer."""
        with self._broker.connected() as connection:
            yield Control(
                connection,
                namespace=self._namespace,
                wait=controlling.WAIT if wait is None else wait,
                expected=self._hosts,
            )

    def send(
        self,
        name: str,
        *,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        queue: str,
        uuid: str = "",
        headers: Mapping[str, str] | None = None,
        parent_id: str = "",
        root_id: str = "",
    ) -> Sent:
        """Puts a task into a queue. Raises ExternalError."""
        with self._broker.connected() as connection:
            return publish.send(
                connection,
                name=name,
                args=args,
                kwargs=kwargs or {},
                queue=queue,
                uuid=uuid,
                headers=headers,
                parent_id=parent_id,
                root_id=root_id,
            )

    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue; 0 for one that does not exist."""
        return self.waiting_in([queue])[queue]

    def waiting_in(self, queues: Iterable[str]) -> dict[str, int]:
        """How many messages wait in each of some queues, over one connection."""
        with self._broker.connected() as connection:
            return {queue: _waiting(connection, queue) for queue in queues}

    def probe(self) -> BrokerProbe:
        """Latency of a round trip, product and version."""
        with self._broker.connected() as connection:
            channel = connection.default_channel
            if connection.transport.driver_type == "redis":
                began = time.perf_counter()
                channel.client.ping()
                latency = (time.perf_counter() - began) * 1000
                product, version = _redis_version(channel.client)
                return BrokerProbe(latency, product, version)
            began = time.perf_counter()
            connection.channel().close()
            latency = (time.perf_counter() - began) * 1000
            properties = getattr(connection.connection, "server_properties", {}) or {}
            return BrokerProbe(
                latency,
                str(properties.get("product") or "AMQP"),
                str(properties.get("version") or ""),
            )

    def close(self) -> None:
        """Ends the subscription."""
        self._events.close()


def _waiting(connection: Any, queue: str) -> int:
    if connection.transport.driver_type == "redis":
        return _waiting_in_lists(connection.default_channel, queue)
    channel = connection.channel()  # of its own: a queue that does not exist closes it
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return 0
    finally:
        with suppress(Exception):
            channel.close()


def _waiting_in_lists(channel: Any, queue: str) -> int:
    """On Redis each priority step has a list of its own, and which steps there are only the app
    knows (`priority_steps`): all that there can be are counted."""
    steps = (f"{queue}{channel.sep}{priority}" for priority in range(1, PRIORITIES))
    with channel.conn_or_acquire() as client, client.pipeline() as pipe:
        for key in (queue, *steps):
            pipe.llen(key)
        return sum(pipe.execute())


def _redis_version(client: Any) -> tuple[str, str]:
    try:
        server = client.info("server")
    except Exception:  # noqa: BLE001  # some hosted ones forbid INFO; the version is only nice
        return "Redis", ""
    if server.get("valkey_version"):
        return "Valkey", str(server["valkey_version"])
    return "Redis", str(server.get("redis_version") or "")
