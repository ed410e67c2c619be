"""Remote control of the workers of one broker: every call ends in bounded time.

What is asked of named workers ends with the last answer, where several share a name with that of as
many as are known (`count` finds out). What is asked of all of them waits the whole time, as nobody
knows how many there are; but a moment after everybody who answered last time has answered again it
ends too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

import kombu

from console import deadline
from console.clients.celery.records import (
    LONGEST_HOST,
    TaskOnWorker,
    TasksOfWorker,
    TaskType,
    WorkerStats,
)
from console.errors import Refused
from console.unstructured import mapping, mappings, number, sequence, text, whole

NAMESPACE: Final = "celery"
WAIT: Final = 1.0
"""Seconds that workers have to answer."""
GRACE: Final = 0.2
"""Seconds for new workers to answer when all known ones have."""
LONGEST: Final = 1000
"""Letters of a name that workers tell."""
MOST_WORKERS: Final = 10_000
"""Node names of which answers are taken: anybody at the broker may answer."""
MOST_SHARING: Final = 1_000
"""Answers of one node name that are taken."""
MOST_QUEUES: Final = 10_000
"""Queues of one worker that are taken."""
_TYPE: Final = re.compile(r"^(?P<name>\S+)(?: \[(?P<info>.*)\])?$")
_RATE: Final = re.compile(r"rate_limit=(\S+)")
Replies = dict[str, list[Any]]
"""What each node name answered: more than once where workers share it."""


class Control:
    """One connection's worth of questions and orders to workers."""

    def __init__(
        self,
        connection: Any,
        *,
        namespace: str = NAMESPACE,
        wait: float = WAIT,
        expected: dict[str, int] | None = None,
    ) -> None:
        """`namespace` is the app's control exchange; `expected` how many answered last time by node
        name, which is kept up to date."""
        self._connection = connection
        self._expected: dict[str, int] = {} if expected is None else expected
        self._namespace = namespace
        self._wait = wait

    # -- questions --------------------------------------------------------------------------------

    def count(self, *, to: Sequence[str] | None = None) -> dict[str, int]:
        """How many workers answer under each node name, where any does. What is asked of them next
        waits for as many."""
        replies = self._ask("ping", to=to, linger=True)
        counts = {host: len(answers) for host, answers in replies.items()}
        for host, workers in counts.items():
            if workers > 1 or host in self._expected:
                self._expected[host] = workers
        return counts

    def active_queues(self, *, to: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]:
        """The queues that each worker consumes, by node name; of all workers that share it."""
        return {
            host: tuple(sorted({name for answer in answers for name in _names(answer)}))
            for host, answers in self._ask("active_queues", to=to).items()
            if any(isinstance(answer, list) for answer in answers)
        }

    def registered(self, *, to: Sequence[str] | None = None) -> dict[str, tuple[TaskType, ...]]:
        """The task types that each worker knows, with their rate limits; Celery's own left out.
        Where workers share a node name, a rate that one of them does not have counts as none."""
        query = {"taskinfoitems": ["rate_limit"]}
        return {
            host: _shared([_task_types(answer) for answer in answers if isinstance(answer, list)])
            for host, answers in self._ask("registered", query, to=to).items()
            if any(isinstance(answer, list) for answer in answers)
        }

    def stats(self, *, to: Sequence[str] | None = None) -> dict[str, WorkerStats]:
        """Process id, uptime and size of each worker; `workers` are those that share the name."""
        stats: dict[str, WorkerStats] = {}
        for host, answers in self._ask("stats", to=to).items():
            each = [one for answer in answers if (one := _stats(answer)) is not None]
            if each:
                # The youngest may not have what it was told before; the lowest number stays.
                stats[host] = replace(
                    min(each, key=lambda one: one.pid),
                    uptime=min(one.uptime for one in each),
                    processes=sum(one.processes for one in each),
                    workers=len(each),
                )
        return stats

    def tasks(self, *, to: Sequence[str] | None = None) -> dict[str, TaskOnWorker]:
        """Every task that a worker has now, by task id."""
        by_worker = self.tasks_by_worker(to=to).values()
        return {task.uuid: task for of_worker in by_worker for task in of_worker.tasks}

    def tasks_by_worker(self, *, to: Sequence[str] | None = None) -> dict[str, TasksOfWorker]:
        """Every task that each worker has now, by node name: workers that answered all that they
        were asked."""
        by_state = {state: self._ask(state, to=to) for state in ("scheduled", "reserved", "active")}
        hosts = set.intersection(*(set(replies) for replies in by_state.values()))
        return {host: self._tasks_of(host, by_state) for host in sorted(hosts)}

    def _tasks_of(self, host: str, by_state: Mapping[str, Replies]) -> TasksOfWorker:
        answered = min(len(replies[host]) for replies in by_state.values())
        workers = max(self._expected.get(host, 1), answered)
        tasks = (
            task
            for state, replies in by_state.items()
            for answer in replies[host]
            for task in _tasks(answer, host, state)
        )
        return TasksOfWorker(tuple(tasks), workers, complete=answered == workers)

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
        replies = self._ask("revoke", order)
        return {host: _answer_text(answers[0]) for host, answers in replies.items()}

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
            if not answers.get(host):
                raise Refused(f"worker {host} did not answer {command}", code="no_answer")
            for answer in answers[host]:
                if isinstance(answer, dict) and "error" in answer:
                    raise Refused(f"worker {host} refused {command}: {_answer_text(answer)}")

    def _ask(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        to: Sequence[str] | None = None,
        linger: bool = False,
    ) -> Replies:
        """With `linger`, those who are named get a moment after the last of them, too."""
        if to is not None and not to:
            return {}
        ticket = uuid4().hex
        replies: Replies = {}

        def take(body: Any, message: Any) -> None:
            if message.headers.get("ticket", ticket) == ticket:
                _note(replies, body)

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
            self._collect(replies, to, linger=linger or to is None)
        if to is None:
            self._expected.clear()
            self._expected.update({host: len(answers) for host, answers in replies.items()})
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

    def _collect(self, replies: Replies, to: Sequence[str] | None, *, linger: bool) -> None:
        """Until those who are named have answered, each as often as workers share its name; of all
        until a moment after everybody has who did last time."""
        wanted = dict(self._expected) if to is None else {h: self._expected.get(h, 1) for h in to}
        ends, everybody = time.monotonic() + deadline.bounded(self._wait), False
        while True:
            if not everybody and wanted:
                everybody = all(
                    len(replies.get(host, ())) >= number for host, number in wanted.items()
                )
                if everybody and not linger:
                    return
                if everybody:
                    ends = min(ends, time.monotonic() + GRACE)
            left = ends - time.monotonic()
            if left <= 0:
                return
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=left)


def _note(replies: Replies, body: Any) -> None:
    """What one worker answered, or more of them."""
    for host, answer in mapping(body).items():
        answers = replies.get(host, [])
        if len(host) > LONGEST_HOST or len(answers) >= MOST_SHARING:
            continue
        if answers or len(replies) < MOST_WORKERS:
            replies.setdefault(host, answers).append(answer)


def _names(answer: Any) -> list[str]:
    names = (text(queue.get("name"), LONGEST) for queue in mappings(answer)[:MOST_QUEUES])
    return [name for name in names if name]


def _task_types(answer: Any) -> dict[str, str]:
    """Rate limit by name."""
    rates: dict[str, str] = {}
    for line in sequence(answer):
        match = _TYPE.match(text(line, LONGEST))
        if match is not None:
            rate = _RATE.search(match["info"] or "")
            rates[match["name"]] = rate[1] if rate else ""
    return rates


def _shared(rates: Sequence[Mapping[str, str]]) -> tuple[TaskType, ...]:
    """The types of workers that share a node name, each with the rate that all of them have."""
    names = dict.fromkeys(name for of_worker in rates for name in of_worker)
    types = []
    for name in names:
        different = {of_worker[name] for of_worker in rates if name in of_worker}
        types.append(TaskType(name, different.pop() if len(different) == 1 else ""))
    return tuple(types)


def _stats(answer: Any) -> WorkerStats | None:
    of_worker = mapping(answer)
    pid, pool = whole(of_worker.get("pid")), mapping(of_worker.get("pool"))
    if pid is None or pid < 1:
        return None
    kind = text(pool.get("implementation"), LONGEST).partition(":")[0].rpartition(".")[2]
    return WorkerStats(
        pid=pid,
        uptime=number(of_worker.get("uptime")) or 0.0,
        processes=max(whole(pool.get("max-concurrency")) or 1, 1),
        pool=kind,
    )


def _tasks(answer: Any, host: str, state: str) -> Iterator[TaskOnWorker]:
    for task in mappings(answer):
        request = mapping(task.get("request", task))
        uuid = text(request.get("id"), LONGEST)
        if uuid:
            name = text(request.get("name"), LONGEST) or text(request.get("type"), LONGEST)
            yield TaskOnWorker(uuid, name, host, state)


def _answer_text(answer: Any) -> str:
    if isinstance(answer, dict):
        return str(answer.get("ok") or answer.get("error") or "")[:300]
    return str(answer)[:300]
