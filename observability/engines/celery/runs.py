"""Many events of many tasks as a few looks at runs.

How late a look is, is said by its `revision`, see revisions. What is remembered of a task between
batches is the number of its attempt; it is bounded, and found again in our rows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from console.chunks import chunks
from console.clients.celery.records import CeleryEvent
from observability.engines.celery.events import moment, row_of, whole
from observability.engines.celery.failures import root_message
from observability.engines.celery.revisions import (
    ENDED,
    GIVEN_UP,
    SENT,
    WITH_WORKER,
    Revision,
    format_revision,
    late,
    parse_revision,
    with_worker,
)
from observability.engines.contracts import (
    FailureKind,
    LinkKind,
    Progress,
    RunEvent,
    RunSnapshot,
    Status,
    run_key,
)
from observability.engines.ports import KnownRuns

REMEMBERED: Final = 50_000

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
}


@dataclass(slots=True)
class _TaskState:
    """What a batch says of one task."""

    revision: Revision
    status: Status
    created_us: int
    began_us: int | None = None
    closed_us: int | None = None
    attempts: int | None = None
    known: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    links: dict[LinkKind, str] = field(default_factory=dict)
    progress: Progress | None = None
    rows: list[RunEvent] = field(default_factory=list)


class Fold:
    """Turns batches into runs. `queues` says which queue a worker consumes, where it is one."""

    def __init__(self, location: str, *, remembered: int = REMEMBERED) -> None:
        """`location` is where all runs of the target live."""
        self.location = location
        self.queues: dict[str, str] = {}
        self._revisions: OrderedDict[str, Revision] = OrderedDict()
        self._begun: OrderedDict[str, int] = OrderedDict()
        self._remembered = remembered

    def runs(self, events: Iterable[CeleryEvent], known: KnownRuns) -> list[RunSnapshot]:
        """The runs that the task events of a batch tell of, in whatever order they came."""
        tasks = sorted(
            (event for event in events if event.uuid and event.type.startswith("task-")),
            key=lambda event: event.us,
        )
        self._recall(tasks, known)
        states: dict[str, _TaskState] = {}
        for event in tasks:
            self._take(states, event)
        return [self._run(uuid, state) for uuid, state in states.items()]

    # -- attempts ---------------------------------------------------------------------------------

    def _recall(self, tasks: Sequence[CeleryEvent], known: KnownRuns) -> None:
        """Asks our rows for the attempts of tasks whose events do not tell."""
        strange = {
            event.uuid
            for event in tasks
            if event.uuid not in self._revisions and whole(event.fields.get("retries")) is None
        }
        with_retries = {
            event.uuid for event in tasks if whole(event.fields.get("retries")) is not None
        }
        missing = sorted(strange - with_retries)
        for chunk in chunks(missing, 500):
            for (uuid, _), text in known.revisions([(uuid, "") for uuid in chunk]).items():
                revision = parse_revision(text)
                if revision is not None:
                    self._revisions[uuid] = with_worker(revision)

    def attempt_of(self, uuid: str) -> int:
        """The attempt that a task is at, as far as we remember."""
        return self._revisions.get(uuid, (1, SENT, 0))[0]

    def _attempt(self, event: CeleryEvent) -> int:
        retries = whole(event.fields.get("retries"))
        if retries is not None:
            return max(retries, 0) + 1
        attempt = self.attempt_of(event.uuid)
        if event.type == "task-started":
            self._begin(event.uuid, attempt)
        elif event.type == "task-retried":
            # The next attempt may be with a worker, held until its time, before this is told.
            return self._begun.get(event.uuid, attempt)
        return attempt

    def _begin(self, uuid: str, attempt: int) -> None:
        self._begun[uuid] = attempt
        self._begun.move_to_end(uuid)
        while len(self._begun) > self._remembered:
            self._begun.popitem(last=False)

    def _remember(self, uuid: str, revision: Revision) -> None:
        if revision[1] == SENT:  # a retry is sent before the worker says that it gave up
            return
        before = self._revisions.get(uuid)
        if before is None or late(revision) > late(before):
            self._revisions[uuid] = revision
        self._revisions.move_to_end(uuid)
        while len(self._revisions) > self._remembered:
            self._revisions.popitem(last=False)

    # -- one event --------------------------------------------------------------------------------

    def _take(self, states: dict[str, _TaskState], event: CeleryEvent) -> None:
        attempt = self._attempt(event)
        phase, status = _state(event)
        revision = (attempt, phase, event.us)
        self._remember(event.uuid, revision)
        state = states.get(event.uuid)
        if state is None:
            state = states[event.uuid] = _TaskState(revision, status, event.us)
        if late(revision) >= late(state.revision):
            state.revision, state.status = revision, status
            state.closed_us = event.us if phase == ENDED else None
        state.created_us = min(state.created_us, event.us)
        if phase != SENT:
            state.attempts = max(state.attempts or 0, attempt)
        row = row_of(event, attempt)
        if row is not None:
            state.rows.append(row)
        self._learn(state, event)

    def _learn(self, state: _TaskState, event: CeleryEvent) -> None:
        learn = _LEARNT.get(event.type)
        if learn is not None:
            learn(state, event, self.location)
        if event.type != "task-sent":
            state.known["worker"] = event.hostname
            queue = self.queues.get(event.hostname)
            if queue:
                state.known.setdefault("queue", queue)

    def _run(self, uuid: str, state: _TaskState) -> RunSnapshot:
        return RunSnapshot(
            external_id=uuid,
            run_id="",
            location=self.location,
            type=state.known.pop("type", ""),
            status=state.status,
            created_at=moment(state.created_us),
            revision=format_revision(state.revision),
            began_at=None if state.began_us is None else moment(state.began_us),
            closed_at=None if state.closed_us is None else moment(state.closed_us),
            attempts=state.attempts,
            progress=state.progress,
            links=state.links,
            attributes=state.attributes,
            events=tuple(state.rows),
            **state.known,
        )


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


def _origin(state: _TaskState, event: CeleryEvent, location: str) -> None:
    """What the events say that carry the message's own facts."""
    fields = event.fields
    name, queue = fields.get("name"), fields.get("queue") or fields.get("routing_key")
    if name:
        state.known["type"] = str(name)
    if queue:
        state.known["queue"] = str(queue)
    if event.type == "task-sent" and not fields.get("retries"):
        state.known["started_by"] = event.hostname
    parent, root = str(fields.get("parent_id") or ""), str(fields.get("root_id") or "")
    if parent and parent != event.uuid:  # a retry names itself
        state.known.setdefault("parent", run_key("celery", location, parent, ""))
        if root and root != event.uuid:
            state.links[LinkKind.CHAIN] = root
    for name in ("eta", "expires"):
        if fields.get(name):
            state.attributes[name] = str(fields[name])


def _labels(state: _TaskState, event: CeleryEvent, location: str) -> None:
    """What `task-headroom` says, see docs/celery.md."""
    del location
    fields = event.fields
    for name, known in (("queue", "queue"), ("tenant", "tenant"), ("parent_run", "parent")):
        if fields.get(name):
            state.known[known] = str(fields[name])
    for name, kind in (("request_id", LinkKind.REQUEST), ("trace_id", LinkKind.TRACE)):
        if fields.get(name):
            state.links[kind] = str(fields[name])[:255]


def _begun(state: _TaskState, event: CeleryEvent, location: str) -> None:
    del location
    state.began_us = event.us if state.began_us is None else min(state.began_us, event.us)


def _progress(state: _TaskState, event: CeleryEvent, location: str) -> None:
    del location
    done, total = whole(event.fields.get("done")), whole(event.fields.get("total"))
    text = str(event.fields.get("text") or "")
    state.progress = Progress(moment(event.us), done, total, text)


def _failed(state: _TaskState, event: CeleryEvent, location: str) -> None:
    del location
    state.known["failure"], state.known["failure_kind"] = root_message(event.fields)


def _revoked(state: _TaskState, event: CeleryEvent, location: str) -> None:
    del location
    if event.fields.get("terminated"):
        kind, text = FailureKind.TERMINATED, "Revoked while it ran"
    elif event.fields.get("expired"):
        kind, text = FailureKind.DEADLINE, "Expired before it could run"
    else:
        kind, text = FailureKind.CANCELLED, "Revoked before it ran"
    state.known["failure"], state.known["failure_kind"] = text, kind


_LEARNT: Final[Mapping[str, Callable[[_TaskState, CeleryEvent, str], None]]] = {
    "task-sent": _origin,
    "task-received": _origin,
    "task-headroom": _labels,
    "task-started": _begun,
    "task-progress": _progress,
    "task-failed": _failed,
    "task-retried": _failed,
    "task-revoked": _revoked,
}
