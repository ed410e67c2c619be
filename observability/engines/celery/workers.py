"""Which workers are there, what each has, and of whom nothing was heard for so long that they are
to be asked. What follows from their answers is in silence.py. Pure but for bounded memory.

Silence is not death. A worker may send no heartbeats, and one that runs its tasks in its own thread
(a solo pool) neither sends nor answers anything while it is busy.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from console.backoff import backoff
from console.clients.celery.control import MOST_WORKERS
from console.clients.celery.records import CeleryEvent, EventBatch, WorkerStats
from console.unstructured import number, whole
from observability.engines.celery.facts import STOPPED
from observability.engines.celery.held_tasks import (
    LONGEST_QUEUE,
    MOST_HOLDERS,
    HeldTask,
    Holders,
    SentTask,
    SentTasks,
    StoppedTask,
    StoppedTasks,
)
from observability.engines.celery.revisions import WITH_WORKER, parse_revision
from observability.engines.celery.situations import NotedSilence, is_let_go, noted_silence
from observability.engines.contracts import OPEN, RunRef, Status

SECOND: Final = 1_000_000
SILENT_AFTER: Final = 30 * SECOND
"""Microseconds without a sign of life after which a worker is asked for one."""
IDLE_AFTER: Final = 30 * SECOND
"""Microseconds without news of a task that runs, after which its worker is asked for it."""
MISSED_AFTER: Final = 5 * SECOND
"""The same where the worker says itself that it runs fewer tasks, and until it is asked again."""
SLOWEST: Final = 600.0
"""Seconds between two heartbeats that are believed, at most."""
LONGEST_PAUSE: Final = 600 * SECOND
"""Microseconds between two questions about one task or one worker, at most."""
NEVER: Final = 1 << 62
"""When a worker is asked for a task that waits with it, unless it begins anew."""
UNCERTAIN: Final = 2.0
"""Seconds by which a worker may be older than the uptime that it tells."""
FORGOTTEN_AFTER: Final = 600 * SECOND
ASKED_AFTER: Final = 1 * SECOND
MOST_ASKED: Final = 5
MOST_TASKS: Final = 10_000
"""Tasks of one worker that are watched, and of all of them together:"""
MOST_HELD: Final = 100_000
MOST_AT_ONCE: Final = 50
"""Workers that are asked for their tasks together, and for their queues:"""
MOST_NEW: Final = 500
INDEPENDENT: Final = frozenset({"prefork", "thread", "threads"})
"""Pools beside which a worker goes on sending heartbeats and answering."""
_ENDS: Final = frozenset(
    {
        "task-succeeded", "task-failed", "task-retried", "task-revoked", "task-rejected",
        "task-cancelled",
    }
)  # fmt: skip


@dataclass(slots=True)
class Worker:
    """One node name. Times are by our own clock; `frequency` is that of its heartbeats in seconds
    (None: none came), `running` what they say that it runs. `gone` means that it said that it goes
    offline (`offline_us`), as one does that begins to shut down; `shared_us` is when several
    processes gave signs of life under the name (`pid` is one of them)."""

    heard_us: int
    tasks: dict[str, HeldTask] = field(default_factory=dict)
    gone: bool = False
    online_us: int = 0
    offline_us: int = 0
    shared_us: int = 0
    pid: int | None = None
    frequency: float | None = None
    running: int | None = None
    pool: str = ""
    queues: tuple[str, ...] = ()
    unanswered: int = 0
    ask_at_us: int = 0
    said_silent: bool = False

    @property
    def silent_after(self) -> int:
        """Microseconds of silence that mean something."""
        return max(SILENT_AFTER, round(3 * (self.frequency or 0.0) * SECOND))

    @property
    def tells_its_death(self) -> bool:
        """Whether its silence means that it is gone: it has sent heartbeats, and whatever its tasks
        do, it would go on sending them, and answer. One that shuts down does neither."""
        return self.frequency is not None and self.pool in INDEPENDENT and not self.gone

    def is_shared(self, now_us: int) -> bool:
        """Whether several workers have this name, as far as anybody knows."""
        return bool(self.shared_us) and now_us - self.shared_us <= self.silent_after

    def take_up(self, noted: NotedSilence | None, now_us: int) -> None:
        """What one of its runs says of its silence, to a reader that begins. As the others may say
        otherwise, what was noted last counts; one that says nothing tells that it was heard."""
        since_us = now_us if noted is None else noted.us
        is_offline = noted is not None and noted.is_offline
        if is_offline:
            self.offline_us = max(self.offline_us, since_us)
        if since_us > self.heard_us:
            self.heard_us, self.gone, self.said_silent = since_us, is_offline, noted is not None

    def note(self, event: CeleryEvent, heard_us: int) -> None:
        """What it says of itself."""
        if event.type == "worker-offline":
            self.gone, self.offline_us = True, heard_us
        elif event.type == "worker-online":
            self.gone, self.online_us, self.pid = False, heard_us, _process(event)
            for task in self.tasks.values():
                task.due_us = task.due_us if task.runs else heard_us + MISSED_AFTER
        elif event.type == "worker-heartbeat":
            self.gone, before, self.pid = False, self.pid, _process(event)
            if None not in (before, self.pid) and before != self.pid:
                self.shared_us = heard_us
            self.frequency = min(number(event.fields.get("freq")) or 2.0, SLOWEST)
            self.running = whole(event.fields.get("active"))


@dataclass(frozen=True, slots=True)
class Twice:
    """A task that started on a worker while another one, as far as we know, still runs it."""

    uuid: str
    hostname: str
    us: int
    other: str
    other_is_silent: bool


class WorkerRegistry:
    """The workers of one broker, as their events tell; those who were heard of last, as anybody may
    send events with node names that he invents."""

    def __init__(self) -> None:
        """Nobody is known yet."""
        self.workers: OrderedDict[str, Worker] = OrderedDict()
        self.sent = SentTasks()
        self.stopped = StoppedTasks()
        self.forgotten = 0
        """How many were forgotten as there were too many."""
        self._to_ask: dict[str, tuple[int, int]] = {}
        self._twice: list[Twice] = []
        self._holders = Holders()

    # -- what is heard ------------------------------------------------------------------------

    def take(self, batch: EventBatch) -> None:
        """Notes who gave a sign of life and what they have."""
        for event in batch.events:
            heard_us = event.heard_us or batch.at_us
            if event.type == "task-sent":
                self._note_sent(event, heard_us)
            elif event.hostname:
                self.sent.remove(event.uuid)
                self.stopped.remove(event.uuid)
                self._note(event, heard_us)

    def adopt(self, run: RunRef, told_us: int, now_us: int) -> None:
        """Takes up a run of which an earlier reader had heard, last at `told_us`."""
        if run.situation == STOPPED and run.status in OPEN:
            heard_us = min(told_us, now_us)
            self.stopped.add(run.external_id, StoppedTask(run.worker, told_us, heard_us))
            return
        runs = run.status is Status.RUNNING
        revision = parse_revision(run.revision)
        waits = revision is not None and revision.phase == WITH_WORKER
        waits = waits and not is_let_go(run.situation)
        if not (run.worker and run.status in OPEN and (runs or waits)):
            return
        worker = self._worker(run.worker, 0)
        if noted := noted_silence(run.situation):
            # Its revision is as late as that note: it was heard of before.
            told_us = min(told_us, noted.us - 1)
        worker.take_up(noted, now_us)
        heard_us = now_us if runs and noted is None else told_us
        task = HeldTask(told_us, heard_us, runs, now_us)
        self._hold(run.worker, worker, run.external_id, task)

    def unheard(self, until_us: int) -> None:
        """Until then nobody could be heard."""
        for worker in self.workers.values():
            if not worker.gone:  # one that is gone is not expected to be heard
                worker.heard_us = max(worker.heard_us, until_us)

    def learn(
        self, queues: Mapping[str, tuple[str, ...]], stats: Mapping[str, WorkerStats], now_us: int
    ) -> None:
        """What workers say of themselves: the queues that they consume, and their pools."""
        for host, of_host in queues.items():
            self._worker(host, now_us).queues = of_host
        for host, of_worker in stats.items():
            worker = self._worker(host, now_us)
            worker.pool = of_worker.pool
            began_us = now_us - round((of_worker.uptime + UNCERTAIN) * SECOND)
            worker.online_us = max(worker.online_us, began_us)

    def release(self, host: str, uuid: str) -> None:
        """A worker does not have a task any more."""
        self._holders.remove(uuid, host)
        if (worker := self.workers.get(host)) is not None:
            worker.tasks.pop(uuid, None)

    def sent_to(self, worker: Worker, before_us: int) -> Iterator[tuple[str, SentTask]]:
        """Tasks that wait in the queues of a worker since before then, as far as anybody said, and
        of which that was not told yet."""
        return self.sent.waiting(worker.queues, before_us)

    def _worker(self, host: str, now_us: int) -> Worker:
        """A worker of whom something is heard now."""
        worker = self.workers.get(host)
        if worker is None:
            while len(self.workers) >= MOST_WORKERS:
                self._forget_oldest()
            worker = self.workers[host] = Worker(now_us)
        self.workers.move_to_end(host)
        return worker

    def _forget_oldest(self) -> None:
        self._forget(next(iter(self.workers)))
        self.forgotten += 1

    def _forget(self, host: str) -> None:
        for uuid in self.workers.pop(host).tasks:
            self._holders.remove(uuid, host)
        self._to_ask.pop(host, None)

    def _note_sent(self, event: CeleryEvent, heard_us: int) -> None:
        queue = event.fields.get("queue") or event.fields.get("routing_key")
        if queue and not self._holders.of(event.uuid):
            self.sent.add(event.uuid, SentTask(queue[:LONGEST_QUEUE], event.us, heard_us))

    def _note(self, event: CeleryEvent, heard_us: int) -> None:
        host = event.hostname
        is_new = host not in self.workers
        worker = self._worker(host, heard_us)
        if is_new or event.type == "worker-online":
            self._to_ask[host] = (heard_us + ASKED_AFTER, 0)
        worker.heard_us = max(worker.heard_us, heard_us)
        worker.unanswered = worker.ask_at_us = 0
        if event.type.startswith("worker-"):
            worker.note(event, heard_us)
        elif event.type in _ENDS:
            self._note_end(worker, event, heard_us)
        elif event.uuid:
            self._note_task(worker, event, heard_us)

    def _note_end(self, worker: Worker, event: CeleryEvent, heard_us: int) -> None:
        if not _revokes_copy(event, worker):
            self.release(event.hostname, event.uuid)
        if event.type == "task-cancelled":
            self.stopped.add(event.uuid, StoppedTask(event.hostname, event.us, heard_us))

    def _note_task(self, worker: Worker, event: CeleryEvent, heard_us: int) -> None:
        started = event.type == "task-started"
        held = worker.tasks.get(event.uuid)
        if started and not (held is not None and held.runs and held.told_us == event.us):
            self._check_elsewhere(event, heard_us)
        ran = held is not None and held.runs and worker.online_us <= held.heard_us
        runs = started or event.type == "task-progress" or ran
        due_us = heard_us + IDLE_AFTER if runs else NEVER
        task = HeldTask(event.us, heard_us, runs, due_us)
        if held is not None and not started:
            task.told_us = held.told_us
        self._hold(event.hostname, worker, event.uuid, task)

    def _hold(self, host: str, worker: Worker, uuid: str, task: HeldTask) -> None:
        """`worker` is the one that was heard of last."""
        if uuid not in worker.tasks:
            while self._holders.number >= MOST_HELD and len(self.workers) > 1:
                self._forget_oldest()
            if len(worker.tasks) >= MOST_TASKS or self._holders.number >= MOST_HELD:
                return
            holders = self._holders.of(uuid)
            if len(holders) >= MOST_HOLDERS:
                self.release(holders[0], uuid)
            self._holders.add(uuid, host)
        worker.tasks[uuid] = task

    def _check_elsewhere(self, event: CeleryEvent, heard_us: int) -> None:
        """Told once, of one that lives if there is one."""
        others: list[Twice] = []
        for host in self._holders.of(event.uuid):
            worker = self.workers[host]
            held = worker.tasks[event.uuid]
            restarted = host == event.hostname and worker.online_us > held.heard_us
            if not held.runs or restarted:
                continue
            silent = worker.gone or heard_us - worker.heard_us > worker.silent_after
            others.append(Twice(event.uuid, event.hostname, event.us, host, silent))
        self._twice += sorted(others, key=lambda other: other.other_is_silent)[:1]

    def twice(self) -> list[Twice]:
        """Tasks that started while they ran elsewhere; each is given once."""
        twice, self._twice = self._twice, []
        return twice

    def runs_elsewhere(self, uuid: str, host: str) -> bool:
        """Whether a worker of another name has it, of whom something was heard later."""
        mine = self.workers[host].tasks.get(uuid)
        return mine is not None and any(
            self.workers[other].tasks[uuid].heard_us >= mine.heard_us
            for other in self._holders.of(uuid)
            if other != host
        )

    def runs_on(self, uuid: str) -> str:
        """The worker that runs it, the one that began first; empty where none does."""
        holders = self._holders.of(uuid)
        return next((host for host in holders if self.workers[host].tasks[uuid].runs), "")

    # -- whom to ask ------------------------------------------------------------------------------

    def suspects(self, now_us: int) -> list[str]:
        """Workers to ask what they have: nothing was heard of them, or of a task that they run."""
        suspects = []
        for host, worker in list(self.workers.items()):
            quiet = now_us - worker.heard_us > worker.silent_after
            if not worker.tasks and not (
                quiet and any(self.sent_to(worker, now_us - worker.silent_after))
            ):
                if now_us - worker.heard_us > FORGOTTEN_AFTER:
                    self._forget(host)
            elif now_us >= worker.ask_at_us and (quiet or self._misses(worker, now_us)):
                suspects.append(host)
        return suspects[:MOST_AT_ONCE]

    def _misses(self, worker: Worker, now_us: int) -> bool:
        if any(now_us >= task.due_us for task in worker.tasks.values()):
            return True
        running = [task for task in worker.tasks.values() if task.runs]
        fewer = worker.running is not None and worker.running < len(running)
        return fewer and any(
            not task.questions and now_us - task.heard_us > MISSED_AFTER for task in running
        )

    def to_ask(self, now_us: int) -> list[str]:
        """Workers that came online and have not told their queues yet; asked a few times, as they
        hear remote control only some time after they said that they are online."""
        due = [host for host, (at, _) in self._to_ask.items() if at <= now_us][:MOST_NEW]
        for host in due:
            _, times = self._to_ask[host]
            if times + 1 >= MOST_ASKED:
                del self._to_ask[host]
            else:
                self._to_ask[host] = (now_us + ASKED_AFTER, times + 1)
        return due

    def answered(self, hosts: Iterable[str]) -> None:
        """These need not be asked again."""
        for host in hosts:
            self._to_ask.pop(host, None)


def _process(event: CeleryEvent) -> int | None:
    return whole(event.fields.get("pid"))


def _revokes_copy(event: CeleryEvent, worker: Worker) -> bool:
    """Whether a worker throws a task away that was delivered while it runs it: of one that it kills
    it says that it was terminated."""
    held = worker.tasks.get(event.uuid) if event.type == "task-revoked" else None
    return held is not None and held.runs and not event.fields.get("terminated")


def pause(times: int) -> int:
    """Microseconds until something is asked again that was asked so many times."""
    return round(backoff(times, first=10 * SECOND, longest=LONGEST_PAUSE))
