"""Plain values of Temporal's runs and their histories, with only what a trail needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class VisibilityRow:
    """One row of visibility (or of a description).

    `status` is Temporal's word in lower case (`running`, `continued_as_new`, …). `history_length`,
    `history_size` (bytes) and `transitions` (which grow with every change of the run's state) are
    those of the last time visibility heard of the run: for an open one they are those of its start.
    `due_at` is when its first task may be given to a worker: later than `created_at` where a cron
    schedule, a start delay or a retry holds it back. `memo` and `attributes` are decoded values.
    """

    workflow_id: str
    run_id: str
    type: str
    queue: str
    status: str
    created_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    history_length: int
    history_size: int
    transitions: int
    first_run_id: str
    parent_workflow_id: str = ""
    parent_run_id: str = ""
    fairness_key: str = ""
    build: str = ""
    memo: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VisibilityPage:
    """One page of rows. `token` asks for the next one and is empty on the last."""

    rows: tuple[VisibilityRow, ...]
    token: bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What an activity said about its progress; `digest` tells one from another."""

    details: tuple[Any, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Temporal's Failure: `kind` is application, timeout, cancelled, terminated, server, activity,
    child, nexus, reset or other; `timeout` is start_to_close and the like."""

    message: str
    kind: str
    type: str = ""
    stack: str = ""
    non_retryable: bool = False
    timeout: str = ""
    identity: str = ""
    heartbeat: Heartbeat | None = None
    details: tuple[Any, ...] = ()
    cause: Failure | None = None


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One event of a history.

    `type` is Temporal's name in lower case (`activity_task_scheduled`). `ref` is the event that
    began what this one is about (an activity's scheduled event, a timer's start, a child's
    initiation). `name` is the activity's, workflow's or signal's type, `subject` the id of the
    activity, timer, update or child. `state` is the retry state or the cause, `run` another run.
    """

    id: int
    at: datetime
    type: str
    actor: str = ""
    name: str = ""
    subject: str = ""
    ref: int = 0
    attempt: int = 0
    build: str = ""
    message: str = ""
    state: str = ""
    run: str = ""
    failure: Failure | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunHistory:
    """A history, or its end.

    `document` is a serialized temporal.api.history.v1.History, None unless it is whole. `last_id`
    is the id of the last event there is; `closed` says that it ends the run.
    """

    events: tuple[HistoryEvent, ...]
    last_id: int
    closed: bool
    document: bytes | None


@dataclass(frozen=True, slots=True)
class PendingActivity:
    """An activity that is under way, waits for its next attempt, or is paused.

    `state` is scheduled, started, cancel_requested, paused or pause_requested. `scheduled_at` is
    when the present attempt was (or is to be) put on the queue.
    """

    activity_id: str
    type: str
    state: str
    attempt: int
    maximum_attempts: int
    scheduled_at: datetime | None
    started_at: datetime | None
    next_attempt_at: datetime | None
    attempt_ended_at: datetime | None
    expires_at: datetime | None
    retry_seconds: float | None
    heartbeat: Heartbeat | None
    heartbeat_at: datetime | None
    failure: Failure | None
    worker: str
    build: str
    fairness_key: str
    priority: int
    paused_by: str
    pause_reason: str
    paused_at: datetime | None


@dataclass(frozen=True, slots=True)
class Undecodable:
    """What the server has and no client can decode; `problem` says what is wrong with it."""

    problem: str


@dataclass(frozen=True, slots=True)
class ActivityDescription:
    """What a standalone activity is doing now, or how it ended.

    `row.workflow_id` is the activity's id. `activity` is its present attempt, or its last one.
    `input` and `result` are decoded values; `failure` is what it ended with and `retry_state` why
    there is no further attempt. `headers` are what its starter sent along, decoded. `document` is
    the server's answer as JSON.
    """

    row: VisibilityRow
    activity: PendingActivity
    input: tuple[Any, ...]
    result: tuple[Any, ...]
    failure: Failure | None
    retry_state: str
    headers: Mapping[str, Any]
    summary: str
    document: bytes


@dataclass(frozen=True, slots=True)
class RunDescription:
    """What a run is doing now."""

    row: VisibilityRow
    activities: tuple[PendingActivity, ...]
    children: tuple[tuple[str, str, str], ...]
    workflow_task_attempt: int
    reset_run_id: str
    last_reset_at: datetime | None
    cancel_requested: bool
    versioning: str
    reset_points: tuple[tuple[str, int], ...]
