"""Remote control of the workers of one broker: every call ends in bounded time.

What is asked of named workers ends with the last answer. What is asked of all of them waits the
whole time, as nobody knows how many there are; but a moment after everybody who answered last time
has answered again it ends too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import kombu

from console import deadline
from console.clients.celery.records import TaskOnWorker, TaskType, WorkerStats
from console.errors import Refused

NAMESPACE: Final = "celery"
WAIT: Final = 1.0
"""Seconds that workers have to answer."""
GRACE: Final = 0.2
"""Seconds for new workers to answer when all known ones have."""
_TYPE: Final = re.compile(r"^(?P<name>\S+)(?: \[(?P<info>.*)\])?$")
_RATE: Final = re.compile(r"rate_limit=(\S+)")
Replies = dict[str, Any]


class Control:
    """One connection's worth of questions and orders to workers."""

    def __init__(
        self,
        connection: Any,
        *,
        namespace: str = NAMESPACE,
        wait: float = WAIT,
        expected: set[str] | None = None,
    ) -> None:
        """`namespace` is the app's control exchange; `expected` who answered last time, which is
        kept up to date."""
        self._connection = connection
        self._expected = set() if expected is None else expected
        self._namespace = namespace
        self._wait = wait

    # -- questions --------------------------------------------------------------------------------

    def ping(self, *, to: Sequence[str] | None = None) -> tuple[str, ...]:
        """The node names of the workers that answer."""
        return tuple(sorted(self._ask("ping", to=to)))

    def active_queues(self, *, to: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]:
        """The queues that each worker consumes, by node name."""
        return {
            host: tuple(sorted(str(queue["name"]) for queue in answer))
            for host, answer in self._ask("active_queues", to=to).items()
            if isinstance(answer, list)
        }

    def registered(self, *, to: Sequence[str] | None = None) -> dict[str, tuple[TaskType, ...]]:
        """The task types that each worker knows, with their rate limits; Celery's own left out."""
        query = {"taskinfoitems": ["rate_limit"]}
        return {
            host: tuple(_task_type(str(line)) for line in answer)
            for host, answer in self._ask("registered", query, to=to).items()
            if isinstance(answer, list)
        }

    def stats(self, *, to: Sequence[str] | None = None) -> dict[str, WorkerStats]:
        """Process id, uptime and size of each worker."""
        return {
            host: _stats(answer)
            for host, answer in self._ask("stats", to=to).items()
            if isinstance(answer, dict) and "pid" in answer
        }

    def tasks(self, *, to: Sequence[str] | None = None) -> dict[str, TaskOnWorker]:
        """Every task that a worker has now, by task id."""
        tasks: dict[str, TaskOnWorker] = {}
        for state in ("scheduled", "reserved", "active"):
            for host, answer in self._ask(state, to=to).items():
                for task in answer if isinstance(answer, list) else ():
                    request = task.get("request", task) if isinstance(task, dict) else {}
                    uuid = str(request.get("id") or "")
                    if uuid:
                        name = str(request.get("name") or request.get("type") or "")
                        tasks[uuid] = TaskOnWorker(uuid, name, host, state)
        return tasks

    # -- orders -----------------------------------------------------------------------------------

    def rate_limit(self, task: str, rate: str, *, to: Sequence[str]) -> None:
        """Limits a task type on the named workers (`0.5/s`, `10/m`; `0` removes the limit)."""
        self._order("rate_limit", {"task_name": task, "rate_limit": rate}, to)

    def add_consumer(self, queue: str, *, to: Sequence[str]) -> None:
        """Has the named workers consume a queue."""
        self._order("add_consumer", {"queue": queue}, to)

    def cancel_consumer(self, queue: str, *, to: Sequence[str]) -> None:
        """Has the named workers no longer consume a queue."""
        self._order("cancel_consumer", {"queue": queue}, to)

    def revoke(
        self, uuid: str, *, terminate: bool = False, signal: str = "SIGTERM"
    ) -> dict[str, str]:
        """Has all workers refuse a task, and (`terminate`) kill the process that runs it. What each
        worker that answered said; a task that is still in the queue is refused when it comes."""
        order = {"task_id": uuid, "terminate": terminate, "signal": signal if terminate else None}
        return {host: _answer_text(answer) for host, answer in self._ask("revoke", order).items()}

    def enable_events(self, *, to: Sequence[str] | None = None) -> tuple[str, ...]:
        """Has workers send task events (as `-E` does); those that answered."""
        return tuple(sorted(self._ask("enable_events", to=to)))

    # -- how --------------------------------------------------------------------------------------

    def _order(self, command: str, arguments: Mapping[str, Any], to: Sequence[str]) -> None:
        """Raises Refused when a worker says no or does not answer."""
        if not to:
            return
        answers = self._ask(command, arguments, to=to)
        for host in to:
            answer = answers.get(host)
            if answer is None:
                raise Refused(f"worker {host} did not answer {command}", code="no_answer")
            if isinstance(answer, dict) and "error" in answer:
                raise Refused(f"worker {host} refused {command}: {_answer_text(answer)}")

    def _ask(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        to: Sequence[str] | None = None,
    ) -> Replies:
        if to is not None and not to:
            return {}
        ticket = uuid4().hex
        replies: Replies = {}

        def take(body: Any, message: Any) -> None:
            if message.headers.get("ticket", ticket) == ticket and isinstance(body, dict):
                replies.update(body)

        untyped: Any = kombu
        channel = self._connection.default_channel
        back = untyped.Exchange(
            f"reply.{self._namespace}.pidbox", type="direct", durable=False, delivery_mode=1
        )
        queue = untyped.Queue(
            f"{ticket}.{back.name}",
            exchange=back,
            routing_key=ticket,
            exclusive=True,  # RabbitMQ 4.3 refuses what is neither durable nor exclusive
            durable=False,
            auto_delete=True,
            expires=60.0,
        )
        consumer = untyped.Consumer(
            channel, [queue], accept=["json"], no_ack=True, callbacks=[take]
        )
        with consumer:
            self._publish(channel, command, dict(arguments or {}), to, ticket, back.name)
            self._collect(replies, None if to is None else set(to))
        if to is None:
            self._expected.clear()
            self._expected.update(replies)
        with suppress(Exception):
            channel.after_reply_message_received(queue.name)
        return replies

    def _publish(
        self,
        channel: Any,
        command: str,
        arguments: dict[str, Any],
        to: Sequence[str] | None,
        ticket: str,
        reply: str,
    ) -> None:
        untyped: Any = kombu
        exchange = untyped.Exchange(
            f"{self._namespace}.pidbox", type="fanout", durable=False, delivery_mode=1
        )
        untyped.Producer(channel, auto_declare=False).publish(
            {
                "method": command,
                "arguments": arguments,
                "destination": None if to is None else list(to),
                "pattern": None,
                "matcher": None,
                "ticket": ticket,
                "reply_to": {"exchange": reply, "routing_key": ticket},
            },
            exchange=exchange.name,
            declare=[exchange],
            headers={"clock": 1, "expires": time.time() + self._wait + 1},
            serializer="json",
            retry=False,
        )

    def _collect(self, replies: Replies, wanted: set[str] | None) -> None:
        ends, everybody = time.monotonic() + deadline.bounded(self._wait), False
        while wanted is None or not wanted <= replies.keys():
            if wanted is None and not everybody and self._expected:
                everybody = self._expected <= replies.keys()
                if everybody:
                    ends = min(ends, time.monotonic() + GRACE)
            left = ends - time.monotonic()
            if left <= 0:
                return
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=left)


def _task_type(line: str) -> TaskType:
    match = _TYPE.match(line)
    if match is None:
        return TaskType(line)
    rate = _RATE.search(match["info"] or "")
    return TaskType(match["name"], rate[1] if rate else "")


def _stats(answer: Mapping[str, Any]) -> WorkerStats:
    pool = answer.get("pool") or {}
    return WorkerStats(
        pid=int(answer["pid"]),
        uptime=float(answer.get("uptime") or 0),
        processes=int(pool.get("max-concurrency") or 1),
        total={str(name): int(number) for name, number in (answer.get("total") or {}).items()},
    )


def _answer_text(answer: Any) -> str:
    if isinstance(answer, dict):
        return str(answer.get("ok") or answer.get("error") or "")[:300]
    return str(answer)[:300]
