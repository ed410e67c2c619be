"""The tasks of one broker: who has which, and which wait for somebody to take them up. Pure but for
memory, which is bounded, and found by what is asked: by the id of a task, by the name of a queue.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

MOST_SENT: Final = 10_000
MOST_HOLDERS: Final = 20
"""Workers that are remembered of one task: it may be delivered again and again."""
LONGEST_QUEUE: Final = 255


@dataclass(slots=True)
class HeldTask:
    """A task that a worker has: since when by the sender's clock, whether it runs, when its worker
    is to be asked for it, and how often it was not there."""

    told_us: int
    heard_us: int
    runs: bool
    due_us: int
    questions: int = 0
    missed: int = 0
    missed_us: int = 0


@dataclass(frozen=True, slots=True)
class SentTask:
    """A task of which no worker has said that it took it up."""

    queue: str
    told_us: int
    heard_us: int


class SentTasks:
    """Those of which that was not said on their runs yet, the oldest first."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self._queues: OrderedDict[str, str] = OrderedDict()
        self._tasks: dict[str, OrderedDict[str, SentTask]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def add(self, uuid: str, task: SentTask) -> None:
        """One more; the oldest is forgotten where there are too many."""
        self.remove(uuid)
        self._queues[uuid] = task.queue
        self._tasks.setdefault(task.queue, OrderedDict())[uuid] = task
        if len(self._queues) > MOST_SENT:
            self.remove(next(iter(self._queues)))

    def remove(self, uuid: str) -> None:
        """A worker has it, or its run says that none does."""
        queue = self._queues.pop(uuid, None)
        if queue is not None:
            of_queue = self._tasks[queue]
            del of_queue[uuid]
            if not of_queue:
                del self._tasks[queue]

    def waiting(self, queues: Iterable[str], before_us: int) -> Iterator[tuple[str, SentTask]]:
        """Those in some queues that were heard of before then."""
        for queue in queues:
            for uuid, task in self._tasks.get(queue, {}).items():
                if task.heard_us >= before_us:
                    break
                yield uuid, task


@dataclass(frozen=True, slots=True)
class StoppedTask:
    """A task that its worker stopped, and that nobody took up since."""

    host: str
    told_us: int
    heard_us: int


class StoppedTasks:
    """Those of which nobody knows whether they are delivered again, the oldest first."""

    def __init__(self) -> None:
        """None was stopped yet."""
        self._tasks: OrderedDict[str, StoppedTask] = OrderedDict()

    def add(self, uuid: str, task: StoppedTask) -> None:
        """One more; the oldest is forgotten where there are too many."""
        self._tasks[uuid] = task
        if len(self._tasks) > MOST_SENT:
            self._tasks.popitem(last=False)

    def remove(self, uuid: str) -> None:
        """A worker says something of it."""
        self._tasks.pop(uuid, None)

    def take(self, before_us: int) -> Iterator[tuple[str, StoppedTask]]:
        """Those that were stopped before then; each is given once."""
        while self._tasks and next(iter(self._tasks.values())).heard_us < before_us:
            yield self._tasks.popitem(last=False)


class Holders:
    """The node names of the workers that have each task, the one that had it first first."""

    def __init__(self) -> None:
        """Nobody has any."""
        self._hosts: dict[str, dict[str, None]] = {}
        self.number = 0
        """Of tasks, each as often as workers have it."""

    def of(self, uuid: str) -> tuple[str, ...]:
        """Who has a task."""
        return tuple(self._hosts.get(uuid, ()))

    def add(self, uuid: str, host: str) -> None:
        """A worker has it, too."""
        hosts = self._hosts.setdefault(uuid, {})
        if host not in hosts:
            hosts[host] = None
            self.number += 1

    def remove(self, uuid: str, host: str) -> None:
        """A worker has it no more."""
        hosts = self._hosts.get(uuid, {})
        if host in hosts:
            del hosts[host]
            self.number -= 1
        if not hosts:
            self._hosts.pop(uuid, None)
