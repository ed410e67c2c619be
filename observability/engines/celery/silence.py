"""What follows when a worker was asked for its tasks: an answer, or none, as news of runs. Pure but
for what the registry remembers.

A worker that answers says what it has. What it does not have, twice, and of which no end was heard,
has ended without saying how: a task that ignores itself ends so. A worker that does not answer is
called lost only where it would answer if it lived; of others no more is said than since when there
was no sign of life.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from console.clients.celery.records import TaskOnWorker
from observability.engines.celery.events import moment
from observability.engines.celery.held_tasks import HeldTask, SentTask
from observability.engines.celery.revisions import SENT, WITH_WORKER
from observability.engines.celery.runs import Fold
from observability.engines.celery.workers import (
    MISSED_AFTER,
    SECOND,
    Twice,
    Worker,
    WorkerRegistry,
    pause,
)
from observability.engines.contracts import (
    SITUATION,
    EventKind,
    FailureKind,
    RunEvent,
    RunSnapshot,
    Status,
)

LOST_AFTER: Final = 24 * 3600 * SECOND
"""Microseconds without any sign of life after which nobody waits for a worker any more."""
UNSAID: Final = "No worker has it any more, and none said how it ended: a task may ignore itself."
UNREAD: Final = "Ended while its events were not being read: how is not known."


@dataclass(slots=True)
class Silences:
    """Turns answers and their absence into news of runs."""

    registry: WorkerRegistry
    fold: Fold
    unread_until_us: int = 0
    """Until then events were lost: what ran before it may have ended in that time."""

    def conclude(
        self, hosts: Iterable[str], answers: Mapping[str, tuple[TaskOnWorker, ...]], now_us: int
    ) -> list[RunSnapshot]:
        """The runs of the workers that were asked, after those who answer did."""
        runs: list[RunSnapshot] = []
        for host in hosts:
            worker = self.registry.workers[host]
            if host in answers:
                runs += self._answered(host, worker, answers[host], now_us)
            else:
                runs += self._unanswered(host, worker, now_us)
        return runs

    # -- a worker that answers --------------------------------------------------------------------

    def _answered(
        self, host: str, worker: Worker, has: tuple[TaskOnWorker, ...], now_us: int
    ) -> Iterator[RunSnapshot]:
        there = {task.uuid: task for task in has}
        was_silent, worker.said_silent = worker.said_silent, False
        worker.heard_us, worker.unanswered = max(worker.heard_us, now_us), 0
        worker.ask_at_us = now_us + MISSED_AFTER
        for uuid, task in list(worker.tasks.items()):
            if uuid in there:
                task.missed, task.questions = 0, task.questions + 1
                task.due_us = now_us + pause(task.questions + 2)
                if was_silent:
                    yield self._here(uuid, host, worker, there[uuid], now_us)
            elif task.runs and self._is_over(task, now_us):
                known = self.registry.runs_elsewhere(uuid, host) or self.fold.has_ended(uuid)
                self.registry.release(host, uuid)
                if not known:
                    yield self._over(uuid, host, worker, task, now_us)

    @staticmethod
    def _is_over(task: HeldTask, now_us: int) -> bool:
        """Whether it was missing before, and long enough ago for its end to be heard since."""
        task.missed, task.questions = task.missed + 1, task.questions + 1
        task.due_us = now_us + MISSED_AFTER
        if task.missed == 1:
            task.missed_us = now_us
        return task.missed > 1 and now_us - task.missed_us >= MISSED_AFTER

    def _over(
        self, uuid: str, host: str, worker: Worker, task: HeldTask, now_us: int
    ) -> RunSnapshot:
        if worker.online_us > task.heard_us:
            text = f"Worker {host} was started again while it ran."
            return self._ended(uuid, host, task, Status.LOST, text, worker.online_us, now_us)
        text = UNREAD if task.told_us < self.unread_until_us else UNSAID
        return self._ended(uuid, host, task, Status.ENDED, text, now_us, now_us)

    def _here(
        self, uuid: str, host: str, worker: Worker, there: TaskOnWorker, now_us: int
    ) -> RunSnapshot:
        what = "runs it" if there.state == "active" else "has it"
        event = RunEvent(
            key=f"answers:{now_us}"[:160],
            seq=now_us,
            at=moment(now_us),
            kind=EventKind.WORKER,
            title=f"{host} answers: it {what}"[:200],
            actor=host[:255],
        )
        waits = f"worker {host} has it, and has not started it yet"
        situation = "" if there.state == "active" else waits
        return self._still(uuid, host, worker, event, situation, name=there.name)

    # -- a worker that does not -------------------------------------------------------------------

    def _unanswered(self, host: str, worker: Worker, now_us: int) -> Iterator[RunSnapshot]:
        worker.unanswered += 1
        worker.ask_at_us = now_us + pause(worker.unanswered)
        for task in worker.tasks.values():
            task.due_us = max(task.due_us, worker.ask_at_us)
        quiet = now_us - worker.heard_us
        if quiet <= worker.silent_after:
            return  # it is heard, and only does not answer us
        sure = worker.gone or worker.tells_its_death
        if (sure and worker.unanswered > 1) or quiet > LOST_AFTER:
            yield from self._lost(host, worker, now_us)
        elif not sure and not worker.said_silent:
            worker.said_silent = True
            for uuid in worker.tasks:
                yield self._silent(uuid, host, worker, now_us)
        for uuid, sent in list(self.registry.sent_to(worker, now_us - worker.silent_after)):
            self.registry.sent.remove(uuid)
            yield self._perhaps_taken(uuid, sent, host, worker, now_us)

    def _lost(self, host: str, worker: Worker, now_us: int) -> Iterator[RunSnapshot]:
        what = "went offline" if worker.gone else "went silent"
        text = f"Worker {host} {what} while it ran, and does not answer."
        for uuid, task in list(worker.tasks.items()):
            known = self.registry.runs_elsewhere(uuid, host) or self.fold.has_ended(uuid)
            if task.runs and not known:
                yield self._ended(uuid, host, task, Status.LOST, text, worker.heard_us, now_us)
            self.registry.release(host, uuid)

    def _silent(self, uuid: str, host: str, worker: Worker, now_us: int) -> RunSnapshot:
        since = moment(worker.heard_us)
        event = RunEvent(
            key=f"silent:{worker.heard_us}:{host}"[:160],
            seq=now_us,
            at=since,
            kind=EventKind.NOTE,
            title=f"No sign of life of {host} since {since:%Y-%m-%d %H:%M:%S} UTC"[:200],
            actor=host[:255],
            message="It neither sends events nor answers. A worker that is busy may do neither.",
        )
        situation = (
            f"no sign of life of {host} since {since:%Y-%m-%d %H:%M:%S} UTC: it neither sends"
            " events nor answers, as a worker may that is busy"
        )
        return self._still(uuid, host, worker, event, situation)

    def _perhaps_taken(
        self, uuid: str, sent: SentTask, host: str, worker: Worker, now_us: int
    ) -> RunSnapshot:
        """A solo pool does not even say what it took up before it is done with it."""
        since = moment(worker.heard_us)
        return RunSnapshot(
            external_id=uuid,
            run_id="",
            location=self.fold.location,
            type="",
            status=Status.WAITING,
            created_at=moment(sent.told_us),
            revision=self.fold.revision(uuid, SENT, max(now_us, sent.told_us)),
            attributes={
                SITUATION: f"no worker has said that it took it up, but of {host}, which consumes"
                f" {sent.queue}, there is no sign of life since {since:%Y-%m-%d %H:%M:%S} UTC:"
                " it may be at work on it"
            },
        )

    # -- runs -------------------------------------------------------------------------------------

    def _still(
        self,
        uuid: str,
        host: str,
        worker: Worker,
        event: RunEvent,
        situation: str,
        *,
        name: str = "",
    ) -> RunSnapshot:
        """A run that is as it was, with an event more and another sentence of how it is now."""
        task = worker.tasks[uuid]
        told_us = task.told_us or task.heard_us
        return RunSnapshot(
            external_id=uuid,
            run_id="",
            location=self.fold.location,
            type=name,
            status=Status.RUNNING if task.runs else Status.WAITING,
            created_at=moment(told_us),
            revision=self.fold.revision(uuid, WITH_WORKER, max(event.seq, told_us)),
            worker=host,
            attributes={SITUATION: situation},
            events=(event,),
        )

    def _ended(
        self,
        uuid: str,
        host: str,
        task: HeldTask,
        status: Status,
        text: str,
        ended_us: int,
        seq_us: int,
    ) -> RunSnapshot:
        """A run whose end nobody told. What is heard later of it counts more."""
        attempt = self.fold.attempt_of(uuid)
        lost = status is Status.LOST
        told_us = task.told_us or task.heard_us
        event = RunEvent(
            key=f"{status.value}:{told_us}:{host}"[:160],
            seq=max(seq_us, told_us + 1),
            at=moment(ended_us),
            kind=EventKind.LOST if lost else EventKind.ENDED,
            title="The worker was lost" if lost else "Ended without saying how",
            attempt=attempt,
            actor=host[:255],
            message=text,
            detail={"delivered_again": "where the task acknowledges late"} if lost else {},
        )
        return RunSnapshot(
            external_id=uuid,
            run_id="",
            location=self.fold.location,
            type="",
            status=status,
            created_at=moment(told_us),
            closed_at=moment(max(ended_us, told_us)),
            revision=self.fold.revision(uuid, WITH_WORKER, max(seq_us, told_us + 1)),
            worker=host,
            failure=text,
            failure_kind=FailureKind.WORKER_LOST if lost else FailureKind.OTHER,
            attributes={SITUATION: ""},
            events=(event,),
        )

    def twice(self, started: Iterable[Twice]) -> Iterator[RunSnapshot]:
        """Runs that started while they ran: the same id twice at once, or again after a worker of
        whom nothing is heard any more."""
        for again in started:
            if again.other_is_silent:
                title = f"Started again; of {again.other}, which had it, nothing is heard any more"
            else:
                title = f"Started while {again.other} runs it, too: it was delivered twice"
            event = RunEvent(
                key=f"twice:{again.us}:{again.hostname}"[:160],
                seq=again.us + 1,
                at=moment(again.us),
                kind=EventKind.NOTE,
                title=title[:200],
                actor=again.hostname[:255],
            )
            yield RunSnapshot(
                external_id=again.uuid,
                run_id="",
                location=self.fold.location,
                type="",
                status=Status.RUNNING,
                created_at=moment(again.us),
                revision=self.fold.revision(again.uuid, WITH_WORKER, again.us),
                events=(event,),
            )
