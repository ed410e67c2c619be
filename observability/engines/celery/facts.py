"""What single events say of a task's run, gathered until the run is told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from console.clients.celery.records import CeleryEvent
from console.unstructured import moment as time_in
from console.unstructured import number, whole
from observability.engines.celery.events import CHORD_UNLOCK, moment
from observability.engines.celery.failures import retry_reason, root_message
from observability.engines.celery.revisions import GIVEN_UP, WITH_WORKER, Revision
from observability.engines.contracts import (
    START_HEARD,
    FailureKind,
    Hold,
    LinkKind,
    Progress,
    RunEvent,
    Status,
    run_key,
)

REJECTED: Final = "Rejected by the task: its message is not delivered again"
REJECTED_SOMEHOW: Final = (
    "Rejected by the task: whether its message is delivered again is not known"
)
STOPPED: Final = (
    "stopped by its worker, which shut down or lost the broker: it is delivered again only if it"
    " acknowledges late"
)


@dataclass(slots=True)
class TaskFacts:
    """What a batch says of one task. `name` is what it is called now, as far as is known; `held_by`
    the worker that has it, and has not begun with it; `stopped` whether its worker stopped it;
    `end_place` where its last end came in the batch."""

    revision: Revision
    status: Status
    created_us: int
    began_us: int | None = None
    closed_us: int | None = None
    attempts: int | None = None
    name: str = ""
    held_by: str = ""
    stopped: bool = False
    end_place: int = -1
    known: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    links: dict[LinkKind, str] = field(default_factory=dict)
    progress: Progress | None = None
    rows: list[RunEvent] = field(default_factory=list)

    def advance(self, event: CeleryEvent, revision: Revision, status: Status) -> None:
        """An event that is as late as any before it says how the run is."""
        self.revision, self.status = revision, status
        self.closed_us = event.us if revision.has_ended else None
        self.held_by = event.hostname if event.type == "task-received" else ""
        self.stopped = event.type == "task-cancelled"


def situation(facts: TaskFacts) -> str:
    """How an open run is now, in a sentence; empty where there is nothing to say."""
    if facts.status is not Status.WAITING:
        return ""
    attempt, phase, us, _ = facts.revision
    if facts.stopped:
        return STOPPED
    retries = attempt if phase == GIVEN_UP else attempt - 1
    times = f"{retries:,} times" if retries > 1 else "once"
    if phase == WITH_WORKER:
        again = f"; it was retried {times} before" if retries else ""
        with_whom = f"worker {facts.held_by} has it, and has not started it yet"
        return f"{with_whom if facts.held_by else 'given back to the queue'}{again}"
    if not retries:
        return "no worker has said yet that it took it up"
    why = ", as it waits for the other tasks of its chord" if facts.name == CHORD_UNLOCK else ""
    failure = str(facts.known.get("failure") or "")
    after = f", after {failure[:200]}" if failure and phase == GIVEN_UP else ""
    return f"retried {times}, last at {moment(us):%Y-%m-%d %H:%M:%S} UTC{why}{after}"


def learn(facts: TaskFacts, event: CeleryEvent, location: str) -> None:
    """Adds what an event says."""
    learnt = _LEARNT.get(event.type)
    if learnt is not None:
        learnt(facts, event, location)
    if event.type != "task-sent" and event.hostname:
        facts.known["worker"] = event.hostname


def _origin(facts: TaskFacts, event: CeleryEvent, location: str) -> None:
    """What the events say that carry the message's own facts."""
    fields = event.fields
    name, queue = fields.get("name"), fields.get("queue") or fields.get("routing_key")
    if name:
        facts.known["type"] = name
    if queue:
        facts.known["queue"] = queue
    goes_on = fields.get("retries") or fields.get("parent_id") == event.uuid
    if event.type == "task-sent" and not goes_on:
        facts.known.setdefault("started_by", event.hostname)
    parent, root = fields.get("parent_id") or "", fields.get("root_id") or ""
    if parent and parent != event.uuid:  # a retry names itself
        facts.known.setdefault("parent", run_key("celery", location, parent, ""))
        if root and root != event.uuid:
            facts.links[LinkKind.CHAIN] = root
    for name in ("eta", "expires"):
        if fields.get(name):
            facts.attributes[name] = fields[name]


def hold_of(event: CeleryEvent) -> Hold | None:
    """What keeps a task from beginning that was sent, or received by a worker: it is not to start
    before its ETA (a countdown gives one)."""
    eta = time_in(event.fields.get("eta")) if event.type in _SENT_OR_RECEIVED else None
    if eta is None or eta <= moment(event.us):
        return None
    what = "retry" if event.fields.get("retries") else "ETA"
    held = f", held by {event.hostname}" if event.type == "task-received" else ""
    return Hold(eta, f"{what}{held}")


def _labels(facts: TaskFacts, event: CeleryEvent, location: str) -> None:
    """What `task-headroom` says, see docs/celery.md."""
    del location
    fields = event.fields
    for name, known in (("queue", "queue"), ("tenant", "tenant"), ("parent_run", "parent")):
        if fields.get(name):
            facts.known[known] = fields[name]
    for name, kind in (("request_id", LinkKind.REQUEST), ("trace_id", LinkKind.TRACE)):
        if fields.get(name):
            facts.links[kind] = fields[name][:255]


def _begun(facts: TaskFacts, event: CeleryEvent, location: str) -> None:
    del location
    facts.attributes[START_HEARD] = True
    facts.began_us = event.us if facts.began_us is None else min(facts.began_us, event.us)


def _ran(facts: TaskFacts, event: CeleryEvent, location: str) -> None:
    """How long it ran says when it began, should its start not have been heard."""
    del location
    runtime = number(event.fields.get("runtime"))
    if facts.began_us is None and runtime is not None and runtime < _LONGEST_RUN:
        facts.began_us = event.us - round(runtime * 1_000_000)


def _progress(facts: TaskFacts, event: CeleryEvent, location: str) -> None:
    del location
    done, total = whole(event.fields.get("done")), whole(event.fields.get("total"))
    facts.progress = Progress(moment(event.us), done, total, event.fields.get("text") or "")


def _failed(facts: TaskFacts, event: CeleryEvent, location: str) -> None:
    del location
    facts.known["failure"], facts.known["failure_kind"] = root_message(event.fields)


def _retried(facts: TaskFacts, event: CeleryEvent, location: str) -> None:
    del location
    text, kind = retry_reason(event.fields)
    if kind is not FailureKind.NONE and facts.name != CHORD_UNLOCK:
        facts.known["failure"], facts.known["failure_kind"] = text, kind


def _revoked(facts: TaskFacts, event: CeleryEvent, location: str) -> None:
    del location
    kind = FailureKind.DEADLINE if event.fields.get("expired") else FailureKind.CANCELLED
    facts.known["failure_kind"] = FailureKind.TERMINATED if event.fields.get("terminated") else kind


def _rejected(facts: TaskFacts, event: CeleryEvent, location: str) -> None:
    del location
    requeue = event.fields.get("requeue")
    if not requeue:
        words = REJECTED_SOMEHOW if requeue is None else REJECTED
        facts.known["failure"], facts.known["failure_kind"] = words, FailureKind.OTHER


_SENT_OR_RECEIVED: Final = frozenset({"task-sent", "task-received"})
_LONGEST_RUN: Final = 31 * 86_400.0
_LEARNT: Final[Mapping[str, Callable[[TaskFacts, CeleryEvent, str], None]]] = {
    "task-sent": _origin,
    "task-received": _origin,
    "task-headroom": _labels,
    "task-started": _begun,
    "task-progress": _progress,
    "task-succeeded": _ran,
    "task-failed": _failed,
    "task-retried": _retried,
    "task-revoked": _revoked,
    "task-rejected": _rejected,
}
