"""What follows when a worker was asked for its tasks: an answer, or none, as news of runs. Pure but
for what the registry remembers.

A worker that answers says what it has. What it does not have, twice, and of which no end was heard,
has ended without saying how: a task that ignores itself ends so. A worker that does not answer is
called lost only where it would answer if it lived; of others no more is said than since when there
was no sign of life. One that went offline shuts down, and neither sends nor answers anything while
it finishes what it runs. Where workers share a node name, nobody knows of which an event is, and
only what none of them has is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from console.clients.celery.records import TaskOnWorker, TasksOfWorker
from observability.engines.celery.events import moment
from observability.engines.celery.held_tasks import HeldTask
from observability.engines.celery.runs import Fold
from observability.engines.celery.silence_news import HostedTask, News, RunEnd
from observability.engines.celery.situations import FINISHES, no_sign, shown, went_offline
from observability.engines.celery.workers import (
    MISSED_AFTER,
    NEVER,
    SECOND,
    Twice,
    Worker,
    WorkerRegistry,
    pause,
)
from observability.engines.contracts import EventKind, RunEvent, RunSnapshot, Status
from observability.engines.ports import KnownRuns

LOST_AFTER: Final = 24 * 3600 * SECOND
"""Microseconds without any sign of life after which nobody waits for a worker any more, nor for one
that takes up a task that was stopped."""
FINISHED_AFTER: Final = 600 * SECOND
"""The same for one that went offline while another of its name is there: an earlier process may
still finish what it runs."""
UNSAID: Final = "No worker has it any more, and none said how it ended: a task may ignore itself."
UNREAD: Final = "Ended while its events were not being read: how is not known."


@dataclass(slots=True)
class Silences:
    """Turns answers and their absence into news of runs."""

    registry: WorkerRegistry
    fold: Fold
    unread_until_us: int = 0
    """Until then events were lost: what ran before it may have ended in that time."""
    news: News = field(init=False)

    def __post_init__(self) -> None:
        self.news = News(self.fold)

    def conclude(
        self,
        hosts: Sequence[str],
        answers: Mapping[str, TasksOfWorker],
        known: KnownRuns,
        now_us: int,
    ) -> list[RunSnapshot]:
        """The runs of the workers that were asked, after those who answer did."""
        # News of a task count only where they are later than what its row says.
        self.fold.recall(self._unanswered_for(hosts, answers), known)
        runs: list[RunSnapshot] = []
        for host in hosts:
            worker = self.registry.workers[host]
            if host in answers:
                runs += self._answered(host, worker, answers[host], now_us)
            else:
                runs += self._unanswered(host, worker, now_us)
        return runs

    def twice(self, started: Iterable[Twice]) -> Iterator[RunSnapshot]:
        """Runs that started while they ran."""
        return self.news.twice(started)

    def _unanswered_for(
        self, hosts: Iterable[str], answers: Mapping[str, TasksOfWorker]
    ) -> Iterator[str]:
        """The tasks that no answer has."""
        for host in hosts:
            there = {task.uuid for task in answers[host].tasks} if host in answers else set()
            yield from self.registry.workers[host].tasks.keys() - there

    def given_up(self, known: KnownRuns, now_us: int) -> Iterator[RunSnapshot]:
        """Runs that their worker stopped, and that no worker took up for so long."""
        stopped = list(self.registry.stopped.take(now_us - LOST_AFTER))
        self.fold.recall((uuid for uuid, _ in stopped), known)
        for uuid, task in stopped:
            text = f"Stopped by its worker {task.host}; no worker took it up in a day."
            end = RunEnd(Status.LOST, text, task.heard_us, "Stopped, and not taken up again")
            if not self.fold.has_ended(uuid):
                yield self.news.ended(HostedTask(uuid, task.host, task), end, now_us)

    # -- a worker that answers --------------------------------------------------------------------

    def _answered(
        self, host: str, worker: Worker, has: TasksOfWorker, now_us: int
    ) -> Iterator[RunSnapshot]:
        there = {task.uuid: task for task in has.tasks}
        was_silent, worker.said_silent = worker.said_silent, False
        worker.heard_us, worker.unanswered = max(worker.heard_us, now_us), 0
        worker.ask_at_us = now_us + MISSED_AFTER
        # Of those who share a name all have to tell what they have.
        complete = has.complete and (has.workers > 1 or not worker.is_shared(now_us))
        if has.workers > 1:
            worker.shared_us = now_us
        for uuid, task in list(worker.tasks.items()):
            if uuid in there or not complete:
                task.missed, task.questions = 0, task.questions + 1
                task.due_us = now_us + pause(task.questions + 2)
                if was_silent and uuid in there:
                    yield self._here(HostedTask(uuid, host, task), task, there[uuid], now_us)
            else:
                yield from self._missing(HostedTask(uuid, host, task), worker, task, now_us)

    def _missing(
        self, of: HostedTask, worker: Worker, task: HeldTask, now_us: int
    ) -> Iterator[RunSnapshot]:
        # An event of a name that workers share does not say which of them it is of.
        anew = worker.online_us > task.heard_us and not worker.is_shared(now_us)
        if not task.runs and not anew:
            task.due_us = NEVER  # what a rate limit holds back is in no answer
            return
        over = self._is_over(task, now_us)
        may_finish = task.runs and worker.offline_us > task.heard_us
        if may_finish and now_us - worker.offline_us < FINISHED_AFTER:
            finished_us = worker.offline_us + FINISHED_AFTER
            task.due_us = min(finished_us, now_us + pause(task.questions))
            if task.missed == 1:
                yield self._offline(of, worker, now_us)
        elif over:
            known = self._is_known(of)
            self.registry.release(of.host, of.uuid)
            if not known:
                yield self._over(of, worker, task, now_us, anew=anew)

    @staticmethod
    def _is_over(task: HeldTask, now_us: int) -> bool:
        """Whether it was missing before, and long enough ago for its end to be heard since."""
        task.missed, task.questions = task.missed + 1, task.questions + 1
        task.due_us = now_us + MISSED_AFTER
        if task.missed == 1:
            task.missed_us = now_us
        return task.missed > 1 and now_us - task.missed_us >= MISSED_AFTER

    def _is_known(self, of: HostedTask) -> bool:
        """Whether its run goes on elsewhere, or its end was heard."""
        elsewhere = self.registry.runs_elsewhere(of.uuid, of.host)
        return elsewhere or self.fold.has_ended(of.uuid)

    def _over(
        self, of: HostedTask, worker: Worker, task: HeldTask, now_us: int, *, anew: bool
    ) -> RunSnapshot:
        if not task.runs:
            return self.news.let_go(of, "was started again", now_us)
        if worker.offline_us > task.heard_us:
            end = _went_offline(of.host, worker)
        elif anew:
            text = f"Worker {of.host} was started again while it ran."
            end = RunEnd(Status.LOST, text, worker.online_us)
        else:
            text = UNREAD if task.told_us < self.unread_until_us else UNSAID
            end = RunEnd(Status.ENDED, text, now_us)
        return self.news.ended(of, end, now_us)

    def _here(
        self, of: HostedTask, task: HeldTask, there: TaskOnWorker, now_us: int
    ) -> RunSnapshot:
        what = "runs it" if there.state == "active" else "has it"
        event = RunEvent(
            key=f"answers:{now_us}"[:160],
            seq=now_us,
            at=moment(now_us),
            kind=EventKind.WORKER,
            title=f"{of.host} answers: it {what}"[:200],
            actor=of.host[:255],
        )
        waits = f"worker {of.host} has it, and has not started it yet"
        situation = "" if there.state == "active" else waits
        return self.news.still(of, _status(task), event, situation, name=there.name)

    # -- a worker that does not -------------------------------------------------------------------

    def _unanswered(self, host: str, worker: Worker, now_us: int) -> Iterator[RunSnapshot]:
        worker.unanswered += 1
        worker.ask_at_us = now_us + pause(worker.unanswered)
        for task in worker.tasks.values():
            # A worker may never answer, and begins anew to be asked with each of its heartbeats.
            task.questions += 1
            task.due_us = max(task.due_us, now_us + pause(task.questions))
        quiet = now_us - worker.heard_us
        if quiet <= worker.silent_after:
            return  # it is heard, and only does not answer us
        sure = worker.tells_its_death
        if worker.unanswered > 1 and (sure or quiet > LOST_AFTER):
            yield from self._lost(host, worker, now_us)
        elif not sure and not worker.said_silent:
            worker.said_silent = True
            yield from self._silent(host, worker, now_us)
        for uuid, sent in list(self.registry.sent_to(worker, now_us - worker.silent_after)):
            self.registry.sent.remove(uuid)
            yield self.news.perhaps_taken(uuid, sent, host, worker.heard_us, now_us)

    def _lost(self, host: str, worker: Worker, now_us: int) -> Iterator[RunSnapshot]:
        text = f"Worker {host} went silent while it ran, and does not answer."
        end = RunEnd(Status.LOST, text, worker.heard_us)
        end = _went_offline(host, worker) if worker.gone else end
        for uuid, task in list(worker.tasks.items()):
            of = HostedTask(uuid, host, task)
            if self._is_known(of):
                pass
            elif task.runs:
                yield self.news.ended(of, end, now_us)
            else:
                yield self.news.let_go(of, "is gone", now_us)
            self.registry.release(host, uuid)

    def _silent(self, host: str, worker: Worker, now_us: int) -> Iterator[RunSnapshot]:
        for uuid, task in list(worker.tasks.items()):
            of = HostedTask(uuid, host, task)
            if self.registry.runs_elsewhere(uuid, host):
                pass  # of its worker there are signs
            elif not worker.gone:
                yield self._no_sign(of, worker, task, now_us)
            elif task.runs:
                yield self._offline(of, worker, now_us)
            else:
                known = self._is_known(of)
                self.registry.release(host, uuid)
                if not known:
                    what = f"went offline at {shown(worker.offline_us)}"
                    yield self.news.let_go(of, what, now_us)

    def _no_sign(self, of: HostedTask, worker: Worker, task: HeldTask, now_us: int) -> RunSnapshot:
        title = f"No sign of life of {of.host} since {shown(worker.heard_us)}"
        message = "It neither sends events nor answers. A worker that is busy may do neither."
        key = f"silent:{worker.heard_us}"
        event = of.note(key, worker.heard_us, now_us, title, message)
        situation = no_sign(of.host, worker.heard_us)
        return self.news.still(of, _status(task), event, situation)

    def _offline(self, of: HostedTask, worker: Worker, now_us: int) -> RunSnapshot:
        title = f"{of.host} went offline at {shown(worker.offline_us)}"
        message = f"{FINISHES[0].upper()}{FINISHES[1:]}."
        key = f"offline:{worker.offline_us}"
        event = of.note(key, worker.offline_us, now_us, title, message)
        situation = went_offline(of.host, worker.offline_us)
        return self.news.still(of, Status.RUNNING, event, situation)


def _status(task: HeldTask) -> Status:
    return Status.RUNNING if task.runs else Status.WAITING


def _went_offline(host: str, worker: Worker) -> RunEnd:
    """A worker that shuts down may finish a task without being able to say so."""
    text = f"Worker {host} went offline while it ran, and nobody said how it ended."
    return RunEnd(Status.ENDED, text, worker.offline_us)
