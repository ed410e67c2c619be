"""Many events of many tasks as a few looks at runs.

How late a look is, is said by its `revision`, see revisions. What is remembered of a task between
batches is the number of its attempt and its name; it is bounded, and found again in our rows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from console.chunks import chunks
from console.clients.celery.control import MOST_WORKERS
from console.clients.celery.records import CeleryEvent
from console.unstructured import whole
from observability.engines.celery.events import copy_event, moment, name_event, revoked, row_of
from observability.engines.celery.facts import TaskFacts, hold_of, learn, situation
from observability.engines.celery.failures import root_message
from observability.engines.celery.names import LONGEST_NAME, TaskNames
from observability.engines.celery.revisions import (
    ENDED,
    GIVEN_UP,
    SENT,
    WITH_WORKER,
    Revision,
    ends_before,
    format_revision,
    late,
    parse_revision,
    with_worker,
)
from observability.engines.contracts import (
    EARLIER_TYPES,
    SITUATION,
    FailureKind,
    Hold,
    RunRef,
    RunSnapshot,
    Status,
)
from observability.engines.ports import KnownRuns

REMEMBERED: Final = 50_000
T = TypeVar("T")

_STATES: Final[Mapping[str, tuple[int, Status]]] = {
    "task-sent": (SENT, Status.WAITING),
    "task-headroom": (SENT, Status.WAITING),
    "task-received": (WITH_WORKER, Status.WAITING),
    "task-started": (WITH_WORKER, Status.RUNNING),
    "task-progress": (WITH_WORKER, Status.RUNNING),
    "task-cancelled": (WITH_WORKER, Status.WAITING),
    "task-retried": (GIVEN_UP, Status.WAITING),
    "task-succeeded": (ENDED, Status.SUCCEEDED),
    "task-failed": (ENDED, Status.FAILED),
    "task-revoked": (ENDED, Status.CANCELLED),
    "task-rejected": (ENDED, Status.FAILED),
}
_TAKEN_UP: Final = frozenset({"task-received", "task-started"})


class Fold:
    """Turns batches into runs. `queues` says which queue a worker consumes, where it is one."""

    def __init__(
        self,
        location: str,
        *,
        remembered: int = REMEMBERED,
        runs_on: Callable[[str], str] = lambda _: "",
    ) -> None:
        """`location` is where all runs of the target live; `runs_on` names the worker that runs a
        task after the batch, empty where none does."""
        self.location = location
        self._runs_on = runs_on
        self.queues: OrderedDict[str, str] = OrderedDict()
        self._revisions: OrderedDict[str, Revision] = OrderedDict()
        self._begun: OrderedDict[str, int] = OrderedDict()
        self._given_back: OrderedDict[str, str] = OrderedDict()
        self._names: OrderedDict[str, TaskNames] = OrderedDict()
        self._remembered = remembered

    def runs(self, events: Iterable[CeleryEvent], known: KnownRuns) -> list[RunSnapshot]:
        """The runs that the task events of a batch tell of, in whatever order they came."""
        arrived = [event for event in events if event.uuid and event.type.startswith("task-")]
        self._recall(arrived, known)
        facts: dict[str, TaskFacts] = {}
        held: list[RunSnapshot] = []
        for place, event in sorted(enumerate(arrived), key=lambda placed: placed[1].us):
            revision = self._take(facts, event, place)
            if event.fields.get("eta") and (hold := hold_of(event)) is not None:
                held.append(self._held(event, revision, hold))
        return held + [self._run(uuid, of_task) for uuid, of_task in facts.items()]

    # -- what is remembered ------------------------------------------------------------------------

    def _recall(self, tasks: Sequence[CeleryEvent], known: KnownRuns) -> None:
        """Asks our rows how far tasks were, and for the names of those that go on under another
        one."""
        unknown = {
            event.uuid
            for event in tasks
            if event.uuid not in self._revisions and _STATES.get(event.type, (SENT,))[0] != SENT
        }
        self.recall(unknown, known)
        for uuid in unknown.intersection(
            event.uuid for event in tasks if event.type == "task-retried"
        ):
            if uuid in self._revisions:
                self._keep(self._begun, uuid, self.attempt_of(uuid))
        renamed = {
            event.uuid
            for event in tasks
            if event.fields.get("parent_id") == event.uuid and event.uuid not in self._names
        }
        for chunk in chunks(sorted(renamed), 500):
            for (uuid, _), name in known.types([(uuid, "") for uuid in chunk]).items():
                if name:
                    self._keep(self._names, uuid, TaskNames((name,), name))

    def recall(self, uuids: Iterable[str], known: KnownRuns) -> None:
        """Asks our rows how far those tasks were that are not remembered."""
        unknown = sorted({uuid for uuid in uuids if uuid not in self._revisions})
        for chunk in chunks(unknown, 500):
            for (uuid, _), text in known.revisions([(uuid, "") for uuid in chunk]).items():
                if (revision := parse_revision(text)) is not None:
                    self._revisions[uuid] = with_worker(revision)

    def learn_queue(self, host: str, queue: str) -> None:
        """The only queue that a worker consumes; empty where it is not one."""
        self.queues.pop(host, None)
        if queue:
            self.queues[host] = queue
        while len(self.queues) > MOST_WORKERS:
            self.queues.popitem(last=False)

    def adopt(self, run: RunRef) -> int:
        """Remembers how far a run of our rows is; the time of that in microseconds."""
        revision = parse_revision(run.revision)
        if revision is None:
            return 0
        self._keep(self._revisions, run.external_id, with_worker(revision))
        begun = run.status is Status.RUNNING or revision.phase == GIVEN_UP
        self._keep(self._begun, run.external_id, revision.attempt - (not begun))
        return revision.us

    def has_ended(self, uuid: str) -> bool:
        """Whether an end of the task was heard, as far as we remember."""
        return self._revisions.get(uuid, _NEW).has_ended

    def attempt_of(self, uuid: str) -> int:
        """The attempt that a task is at, as far as we remember."""
        return self._revisions.get(uuid, _NEW).attempt

    def revision(self, uuid: str, phase: int, us: int) -> str:
        """How late news of a task are that no event told."""
        return format_revision(self._revisions.get(uuid, _NEW)._replace(phase=phase, us=us))

    def _attempt(self, event: CeleryEvent) -> int:
        retries = whole(event.fields.get("retries"))
        if retries is not None:
            return max(retries, 0) + 1
        attempt = self.attempt_of(event.uuid)
        if event.type == "task-started":
            self._keep(self._begun, event.uuid, attempt)
        elif event.type == "task-retried":
            # The next attempt may be with a worker, held until its time, before this is told.
            return self._begun.get(event.uuid) or attempt
        return attempt

    def _keep(self, memory: OrderedDict[str, T], uuid: str, value: T) -> None:
        memory[uuid] = value
        memory.move_to_end(uuid)
        while len(memory) > self._remembered:
            memory.popitem(last=False)

    def _remember(self, uuid: str, revision: Revision) -> None:
        if revision[1] == SENT:  # a retry is sent before the worker says that it gave up
            return
        before = self._revisions.get(uuid)
        later = before is None or late(revision) > late(before)
        self._keep(self._revisions, uuid, revision if later or before is None else before)

    # -- one event --------------------------------------------------------------------------------

    def _take(self, by_task: dict[str, TaskFacts], event: CeleryEvent, place: int) -> Revision:
        """Adds an event to what its batch says of the task; how late it is. `place` is where it
        came in its batch."""
        attempt, copy = self._attempt(event), self._copy(event)
        phase, status = copy.state if copy else self._state(event)
        facts = by_task.get(event.uuid)
        came_later = facts is None or place > facts.end_place
        revision = self._revision(event, attempt, phase, came_later=came_later)
        self._remember(event.uuid, revision)
        if facts is None:
            facts = by_task[event.uuid] = TaskFacts(revision, status, event.us)
            names = self._names.get(event.uuid)
            facts.name = "" if names is None else names.now
        if late(revision) >= late(facts.revision):
            facts.advance(event, revision, status)
        if revision.has_ended:
            facts.end_place = max(facts.end_place, place)
        facts.created_us = min(facts.created_us, event.us)
        if phase != SENT:
            facts.attempts = max(facts.attempts or 0, attempt)
        self._name(facts, event)
        if copy:
            facts.rows.append(copy_event(event, copy.runs_on))
            if copy.runs_on:
                facts.known["worker"] = copy.runs_on
            return revision
        self._tell(facts, event, attempt, goes_on=not revision.has_ended)
        return revision

    def _tell(self, facts: TaskFacts, event: CeleryEvent, attempt: int, *, goes_on: bool) -> None:
        """Adds what an event says in words."""
        ran = self._begun.get(event.uuid, 0)
        row = row_of(event, attempt, name=facts.name, ran=ran, goes_on=goes_on)
        if row is not None:
            facts.rows.append(row)
        learn(facts, event, self.location)
        if event.type == "task-revoked":
            facts.known["failure"] = revoked(event.fields, attempt, ran)
        queue = self.queues.get(event.hostname) if event.type != "task-sent" else ""
        if queue:
            facts.known.setdefault("queue", queue)

    def _revision(
        self, event: CeleryEvent, attempt: int, phase: int, *, came_later: bool
    ) -> Revision:
        """How late an event is. A run that has ended is opened again by a worker that took it up
        later, if that was heard later as well."""
        opens = came_later and event.type in _TAKEN_UP
        ends = ends_before(self._revisions.get(event.uuid), event.us, opens=opens)
        return Revision(attempt, phase, event.us, ends)

    def _state(self, event: CeleryEvent) -> tuple[int, Status]:
        """A task that ran into its time limit may be given back first, and fails only then."""
        if event.type == "task-rejected" and event.fields.get("requeue"):
            self._keep(self._given_back, event.uuid, event.hostname)
        elif event.type in _TAKEN_UP:
            self._given_back.pop(event.uuid, None)
        given_back = event.type == "task-failed" and self._given_back.get(event.uuid)
        return (WITH_WORKER, Status.WAITING) if given_back == event.hostname else _state(event)

    def _copy(self, event: CeleryEvent) -> Copy | None:
        """A task may be delivered twice, and the copy be revoked: that does not end its run. A
        worker that kills a task says that it was terminated."""
        if event.type != "task-revoked" or event.fields.get("terminated"):
            return None
        if runs_on := self._runs_on(event.uuid):
            return Copy((WITH_WORKER, Status.RUNNING), runs_on)
        return Copy((SENT, Status.WAITING), "") if self.has_ended(event.uuid) else None

    def _held(self, event: CeleryEvent, revision: Revision, hold: Hold) -> RunSnapshot:
        """A look of its own, as late as the event: later ones of its batch are not held."""
        return RunSnapshot(
            external_id=event.uuid,
            run_id="",
            location=self.location,
            type=event.fields.get("name") or "",
            status=Status.WAITING,
            created_at=moment(event.us),
            revision=format_revision(revision),
            hold=hold,
        )

    def _name(self, facts: TaskFacts, event: CeleryEvent) -> None:
        """A task may be replaced by another one that goes on under its id."""
        name = (event.fields.get("name") or "")[:LONGEST_NAME]
        if not name or name == facts.name:
            return
        before = self._names.get(event.uuid)
        if before is None:
            names = TaskNames((name,), name)
        else:
            names = before.renamed(name)
            if name not in before.first and not before.is_full:
                facts.rows.append(name_event(event, before.now, name))
        self._keep(self._names, event.uuid, names)
        facts.name = name
        if earlier := names.earlier:
            facts.attributes[EARLIER_TYPES] = earlier

    def _run(self, uuid: str, facts: TaskFacts) -> RunSnapshot:
        created_us = min(facts.created_us, facts.began_us or facts.created_us)
        return RunSnapshot(
            external_id=uuid,
            run_id="",
            location=self.location,
            type=facts.known.pop("type", ""),
            status=facts.status,
            created_at=moment(created_us),
            revision=format_revision(facts.revision),
            began_at=None if facts.began_us is None else moment(facts.began_us),
            closed_at=None if facts.closed_us is None else moment(facts.closed_us),
            attempts=facts.attempts,
            progress=facts.progress,
            links=facts.links,
            attributes={**facts.attributes, SITUATION: situation(facts)},
            events=tuple(facts.rows),
            **facts.known,
        )


class Copy(NamedTuple):
    """What the revocation of a task's copy says of its run, and which worker runs it."""

    state: tuple[int, Status]
    runs_on: str


_NEW: Final = Revision(1, SENT, 0)


def _state(event: CeleryEvent) -> tuple[int, Status]:
    phase, status = _STATES.get(event.type, (SENT, Status.WAITING))
    if event.type == "task-failed":
        status = _ENDINGS.get(root_message(event.fields)[1], status)
    elif event.type == "task-revoked" and event.fields.get("terminated"):
        status = Status.TERMINATED
    elif event.type == "task-rejected" and event.fields.get("requeue"):
        return WITH_WORKER, Status.WAITING
    return phase, status


_ENDINGS: Final[Mapping[FailureKind, Status]] = {
    FailureKind.WORKER_LOST: Status.LOST,
    FailureKind.DEADLINE: Status.TIMED_OUT,
}
