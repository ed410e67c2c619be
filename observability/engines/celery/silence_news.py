"""News of runs that no event told: snapshots of runs that are as they were, have ended, or are with
nobody, each with an event and a sentence of how they are now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from observability.engines.celery.events import moment
from observability.engines.celery.held_tasks import HeldTask, SentTask, StoppedTask
from observability.engines.celery.revisions import SENT, WITH_WORKER
from observability.engines.celery.runs import Fold
from observability.engines.celery.situations import let_go, shown
from observability.engines.celery.workers import Twice
from observability.engines.contracts import (
    SITUATION,
    EventKind,
    FailureKind,
    RunEvent,
    RunSnapshot,
    Status,
)


@dataclass(frozen=True, slots=True)
class HostedTask:
    """A task that the worker of a node name has, or had."""

    uuid: str
    host: str
    task: HeldTask | StoppedTask

    @property
    def told_us(self) -> int:
        """Since when it has it, by the sender's clock where that is known."""
        return self.task.told_us or self.task.heard_us

    def note(self, key: str, at_us: int, seq_us: int, title: str, message: str = "") -> RunEvent:
        """An event of its run."""
        return RunEvent(
            key=f"{key}:{self.host}"[:160],
            seq=seq_us,
            at=moment(at_us),
            kind=EventKind.NOTE,
            title=title[:200],
            actor=self.host[:255],
            message=message,
        )


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How and when a run ended of which nobody told that."""

    status: Status
    text: str
    us: int
    title: str = ""


@dataclass(slots=True)
class News:
    """Makes the snapshots."""

    fold: Fold

    def still(
        self, of: HostedTask, status: Status, event: RunEvent, situation: str, *, name: str = ""
    ) -> RunSnapshot:
        """A run that is as it was, with an event more and another sentence of how it is now."""
        return self._snapshot(
            of.uuid,
            status,
            of.told_us,
            type=name,
            revision=self.fold.revision(of.uuid, WITH_WORKER, max(event.seq, of.told_us)),
            worker=of.host,
            attributes={SITUATION: situation},
            events=(event,),
        )

    def ended(self, of: HostedTask, end: RunEnd, seq_us: int) -> RunSnapshot:
        """A run whose end nobody told. What is heard later of it counts more."""
        lost, seq = end.status is Status.LOST, max(seq_us, of.told_us + 1)
        event = RunEvent(
            key=f"{end.status.value}:{of.told_us}:{of.host}"[:160],
            seq=seq,
            at=moment(end.us),
            kind=EventKind.LOST if lost else EventKind.ENDED,
            title=end.title or ("The worker was lost" if lost else "Ended without saying how"),
            attempt=self.fold.attempt_of(of.uuid),
            actor=of.host[:255],
            message=end.text,
            detail={"delivered_again": "where the task acknowledges late"} if lost else {},
        )
        return self._snapshot(
            of.uuid,
            end.status,
            of.told_us,
            closed_at=moment(max(end.us, of.told_us)),
            revision=self.fold.revision(of.uuid, WITH_WORKER, seq),
            worker=of.host,
            failure=end.text,
            failure_kind=FailureKind.WORKER_LOST if lost else FailureKind.OTHER,
            attributes={SITUATION: ""},
            events=(event,),
        )

    def let_go(self, of: HostedTask, what: str, now_us: int) -> RunSnapshot:
        """A run that waited with a worker which does not have it any more: `what` says why. It had
        not acknowledged what it had not begun."""
        event = of.note(f"without:{of.told_us}", now_us, now_us, f"{of.host}, which had it, {what}")
        return self.still(of, Status.WAITING, event, let_go(of.host, what))

    def perhaps_taken(
        self, uuid: str, sent: SentTask, host: str, since_us: int, now_us: int
    ) -> RunSnapshot:
        """A solo pool does not even say what it took up before it is done with it."""
        return self._snapshot(
            uuid,
            Status.WAITING,
            sent.told_us,
            revision=self.fold.revision(uuid, SENT, max(now_us, sent.told_us)),
            attributes={
                SITUATION: f"no worker has said that it took it up, but of {host}, which consumes"
                f" {sent.queue}, there is no sign of life since {shown(since_us)}:"
                " it may be at work on it"
            },
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
            yield self._snapshot(
                again.uuid,
                Status.RUNNING,
                again.us,
                revision=self.fold.revision(again.uuid, WITH_WORKER, again.us),
                events=(event,),
            )

    def _snapshot(
        self, uuid: str, status: Status, created_us: int, *, type: str = "", **more: Any
    ) -> RunSnapshot:
        return RunSnapshot(
            external_id=uuid,
            run_id="",
            location=self.fold.location,
            type=type,
            status=status,
            created_at=moment(created_us),
            **more,
        )
