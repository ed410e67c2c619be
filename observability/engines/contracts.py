"""The plain values of the job trail: one shape of run and one of event for four engines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Final

from tenants.contracts import Unreadable


class Engine(StrEnum):
    """What runs the jobs. The kind of a target of the same name speaks to it."""

    TEMPORAL = "temporal"
    ARGO = "argo"
    CELERY = "celery"
    KUBERNETES = "kubernetes"


ENGINE_LABELS: Final[Mapping[Engine, str]] = {
    Engine.TEMPORAL: "Temporal",
    Engine.ARGO: "Argo Workflows",
    Engine.CELERY: "Celery",
    Engine.KUBERNETES: "Kubernetes",
}


class Status(StrEnum):
    """Where a run is, in words that fit every engine."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    CONTINUED = "continued"
    LOST = "lost"
    DELETED = "deleted"
    ENDED = "ended"


STATUS_LABELS: Final[Mapping[Status, str]] = {
    Status.WAITING: "Waiting",
    Status.RUNNING: "Running",
    Status.PAUSED: "Paused",
    Status.SUCCEEDED: "Succeeded",
    Status.FAILED: "Failed",
    Status.TIMED_OUT: "Timed out",
    Status.CANCELLED: "Cancelled",
    Status.TERMINATED: "Terminated",
    Status.CONTINUED: "Continued as new",
    Status.LOST: "Worker lost",
    Status.DELETED: "Deleted unfinished",
    Status.ENDED: "Ended without saying how",
}
OPEN: Final = frozenset({Status.WAITING, Status.RUNNING, Status.PAUSED})
BAD: Final = frozenset({Status.FAILED, Status.TIMED_OUT, Status.LOST, Status.DELETED})


class FailureKind(StrEnum):
    """Why a run ended badly, or an attempt did; empty when it did not."""

    NONE = ""
    APPLICATION = "application"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"
    OUT_OF_MEMORY = "out_of_memory"
    QUOTA = "quota"
    LIMIT_RANGE = "limit_range"
    POD_SECURITY = "pod_security"
    WEBHOOK = "webhook"
    ADMISSION_POLICY = "admission_policy"
    SERVICE_ACCOUNT = "service_account"
    REFUSED = "refused"
    WORKER_LOST = "worker_lost"
    EVICTED = "evicted"
    IMAGE = "image"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    NON_DETERMINISM = "non_determinism"
    INVALID = "invalid"
    OTHER = "other"


class EventKind(StrEnum):
    """What happened, in words that fit every engine.

    `waiting` names what for (a lock, a slot, a node); `throttled` and `denied` are limits at work;
    `checkpoint` is progress that survives a crash (heartbeat); `worker` names who took over;
    `ended` says that nobody told how; `cleanup` is self-destruction, done or overdue; `gap` says
    that we were not looking.
    """

    CREATED = "created"
    STARTED = "started"
    SCHEDULED = "scheduled"
    ATTEMPT_STARTED = "attempt_started"
    ATTEMPT_FAILED = "attempt_failed"
    ATTEMPT_TIMED_OUT = "attempt_timed_out"
    RETRY = "retry"
    STEP_COMPLETED = "step_completed"
    CHECKPOINT = "checkpoint"
    WAITING = "waiting"
    THROTTLED = "throttled"
    DENIED = "denied"
    SIGNAL = "signal"
    UPDATE = "update"
    TIMER_STARTED = "timer_started"
    TIMER_FIRED = "timer_fired"
    CHILD_STARTED = "child_started"
    CHILD_CLOSED = "child_closed"
    WORKER = "worker"
    PAUSED = "paused"
    RESUMED = "resumed"
    RESET = "reset"
    CANCEL_REQUESTED = "cancel_requested"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    CONTINUED = "continued"
    LOST = "lost"
    DELETED = "deleted"
    ENDED = "ended"
    CLEANUP = "cleanup"
    GAP = "gap"
    NOTE = "note"


class TenantSource(StrEnum):
    """How it is known whose run it is."""

    NONE = "unattributed"
    DECLARED = "declared"
    PLACEMENT = "placement"


class LinkKind(StrEnum):
    """What runs that belong together have in common."""

    REQUEST = "request"
    TRACE = "trace"
    CHAIN = "chain"


LONGEST_MESSAGE: Final = 2000
LONGEST_TITLE: Final = 200
DELETION: Final = "deletion"
"""Attribute of a run whose deletion was asked for: `asked_at`, `finalizers`, `reason`."""
STATUS_TIMES: Final = "status_times"
"""Attribute of a run whose status gives times that cannot be (see times.py), and how so."""
MOST_DETAIL: Final = 8192
"""Bytes of JSON kept with one event; the archive has the rest."""

SITUATION: Final = "situation"
"""The attribute of a run that says in one sentence how it is now, as its engine's objects have it:
what it waits for, who looks after it, how much of it is done. Empty where nothing is to be said."""
DENIALS: Final = "denials"
"""The attribute of a run that counts what was refused to it: `count`, `first_at`, `last_at`, and of
the newest refusal `kind`, `by`, `words`, `message`, and the amounts where a quota refused."""

MASK: Final = "•••"
"""What stands where a secret was."""

# How whoever starts a run says to whom it belongs. Temporal: search attributes or memo entries of
# the names in MEMO; Kubernetes and Argo: labels, or annotations where a value is too long for a
# label; Celery: headers.
TENANT_LABEL: Final = "headroom.dev/tenant"
PARENT_LABEL: Final = "headroom.dev/parent-run"
REQUEST_LABEL: Final = "headroom.dev/request-id"
TRACE_LABEL: Final = "headroom.dev/trace-id"
TENANT_HEADER: Final = "headroom_tenant"
PARENT_HEADER: Final = "headroom_parent_run"
REQUEST_HEADER: Final = "headroom_request_id"
TRACE_HEADER: Final = "headroom_trace_id"
TENANT_ATTRIBUTE: Final = "TenantId"
PARENT_MEMO: Final = "headroom.parent_run"
REQUEST_MEMO: Final = "headroom.request_id"
TRACE_MEMO: Final = "headroom.trace_id"


START_HEARD: Final = "start_heard"
"""The attribute of a run of which an event said that it began, where its engine may lose them."""
EARLIER_TYPES: Final = "earlier_types"
"""The attribute that names the types which a run had before, where another one went on under its
id."""


def run_key(engine: str, location: str, external_id: str, run_id: str) -> str:
    """How one run names another across engines: `temporal/NAMESPACE/WORKFLOW_ID/RUN_ID`,
    `kubernetes/NAMESPACE/JOB/UID`, `argo/NAMESPACE/WORKFLOW/UID`, `celery/APP/TASK_ID/`.
    A run id that is left out means whichever run has that id."""
    return f"{engine}/{location}/{external_id}/{run_id}"


class AttemptRound(Enum):
    """Where an engine counts a step's attempts from one again (an activity that was reset), but
    does not say in which round of them it is: how an event's round is known."""

    NONE = "its key is unique within the run"
    NEWEST = "of the newest round that there is"
    BY_TIME = "`at` is exact: a second one of its key at another moment begins a new round"


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One thing that happened to a run.

    `key` is the engine's own name of it, unique within the run: reading it twice changes nothing.
    With an `attempt_round` it is unique within a round of attempts: ingest puts its number before.
    Only a `denied` one moves on, by the `last_at` of its detail: it counts all refusals for one
    reason, and has the words of the last.
    `seq` orders events: the engine's event number, or microseconds since 1970 where it has none.
    `step` joins the events of one step (activity id, node id, pod), `step_name` is its name for
    people. `actor` is the person or worker who did it. `detail` is JSON; ingest masks and
    bounds it.
    """

    key: str
    seq: int
    at: datetime
    kind: EventKind
    title: str
    step: str = ""
    step_name: str = ""
    attempt: int = 0
    actor: str = ""
    message: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    attempt_round: AttemptRound = AttemptRound.NONE


@dataclass(frozen=True, slots=True)
class Progress:
    """The last checkpoint: `done` of `total` (None: unknown), and its details as text."""

    at: datetime
    done: int | None = None
    total: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps a run from beginning although any worker could take it: its engine holds it back
    `until` then (None: not known), for a `reason` in few words ("cron", "start delay")."""

    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """One run as the engine shows it now.

    `external_id` and `run_id` name it there; `location` is where it lives for people and for its
    run key (Temporal namespace, Kubernetes namespace, Celery queue) and `queue` its task queue.
    `tenant` is the tenant's slug as the starter declared it, empty when nothing did. `created_at`
    is when the engine accepted it, `began_at` when it first ran, `closed_at` when it ended.
    `revision` changes whenever the engine's record of it does, and the numbers in it never go down:
    of two looks that come out of order, the one with the greater numbers is the later one. None and
    "" mean "not known from this look" and never overwrite what is known. `parent` is a run key.
    `cleanup_at` is when it is due to remove itself. `failure` of an open run is what its last
    attempt failed with, or what is refused to it; `is_well` says that nothing of it fails any more,
    so that an earlier one is over. `hold` is there before it begins. With `needs_history` the
    events must be fetched; `events` are those that came along, and `document` is the engine's own
    record (see History) where it came along.
    """

    external_id: str
    run_id: str
    location: str
    type: str
    status: Status
    created_at: datetime
    revision: str
    queue: str = ""
    fairness_key: str = ""
    began_at: datetime | None = None
    closed_at: datetime | None = None
    tenant: str = ""
    attempts: int | None = None
    failure: str = ""
    failure_kind: FailureKind = FailureKind.NONE
    is_well: bool = False
    hold: Hold | None = None
    started_by: str = ""
    worker: str = ""
    build: str = ""
    parent: str = ""
    links: Mapping[LinkKind, str] = field(default_factory=dict)
    progress: Progress | None = None
    cleanup_at: datetime | None = None
    cleaned_at: datetime | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[RunEvent, ...] = ()
    needs_history: bool = False
    document: bytes | None = None


@dataclass(frozen=True, slots=True)
class KnownRun:
    """What our row says of a run, for a source that no longer finds it all in the engine."""

    attempts: int = 0
    failure: str = ""
    failure_kind: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrailGap:
    """A time in which events may have been missed, and why."""

    starts_at: datetime
    ends_at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Some runs that changed, and where to go on from there.

    Whoever stores `cursor` has everything before it. `through` is the engine's time up to which
    nothing is missing, None when that cannot be told from this page. A source that waits on an open
    connection gives a page without runs every few seconds: it says that we still hear the engine.
    `sweep` asks for a look at the limits of the target (a worker came online). `unreadable` is what
    was met and could not be read.
    """

    runs: tuple[RunSnapshot, ...]
    cursor: Mapping[str, Any]
    through: datetime | None = None
    caught_up: bool = False
    gaps: tuple[TrailGap, ...] = ()
    sweep: bool = False
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRef:
    """Names a run that we know. `situation` is what its row says as SITUATION, where that is
    known (of open runs, it is)."""

    id: int
    external_id: str
    run_id: str
    location: str
    status: Status
    revision: str
    created_at: datetime
    worker: str = ""
    situation: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """A run's events as the engine has them, oldest first, and its own record of them.

    `document` is what the archive keeps, uncompressed, in the form that `media` names:
    `application/vnd.temporal.history+protobuf` (a temporal.api.history.v1.History) or
    `application/json`. `run` has what only the history knows (failure, attempts, who started it);
    `complete` says that nothing can come after. `unreadable` is what of it could not be read.
    """

    events: tuple[RunEvent, ...]
    document: bytes
    media: str
    run: RunSnapshot | None = None
    complete: bool = False
    unreadable: tuple[Unreadable, ...] = ()


TEMPORAL_HISTORY: Final = "application/vnd.temporal.history+protobuf"
JSON_DOCUMENT: Final = "application/json"
