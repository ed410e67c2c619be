"""Standalone activities (server 1.31 and newer): activities that no workflow runs.

They have a visibility of their own and no history: what is known of one is its description, with
its last attempt only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from google.protobuf import json_format
from temporalio.api.activity.v1 import ActivityExecutionInfo, ActivityExecutionListInfo
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import ActivityExecutionStatus
from temporalio.api.workflowservice.v1 import (
    CountActivityExecutionsRequest,
    DescribeActivityExecutionRequest,
    DescribeActivityExecutionResponse,
    ListActivityExecutionsRequest,
)

from console.clients.temporal.attributes.shared import RETRY_STATES
from console.clients.temporal.client import TemporalClient
from console.clients.temporal.connection import UNDECODABLE
from console.clients.temporal.declared import OURS
from console.clients.temporal.decoding import decoded
from console.clients.temporal.failures import failure
from console.clients.temporal.history_reader import LONG, Ref, each, undecodable
from console.clients.temporal.listing import LARGEST_PAGE, Listing
from console.clients.temporal.payloads import (
    LONGEST_IDENTITY,
    LONGEST_NAME,
    at,
    fields,
    heartbeat,
    moment,
    seconds,
    text,
    value,
    values,
)
from console.clients.temporal.records import (
    ActivityDescription,
    PendingActivity,
    Undecodable,
    VisibilityPage,
    VisibilityRow,
)
from console.clients.temporal.runs import ACTIVITY_STATES, ROOM
from console.clients.temporal.workflow_service import call
from console.errors import NotFound, Refused
from console.unstructured import clean

_STATUSES: Final[Mapping[int, str]] = {
    number: name.removeprefix("ACTIVITY_EXECUTION_STATUS_").lower()
    for name, number in ActivityExecutionStatus.items()
}


class ActivityReader:
    """The standalone activities of a client's namespace. Every verb raises as HistoryReader's do,
    and Refused (code `not_supported`) where the server knows none."""

    def __init__(self, client: TemporalClient) -> None:
        self._client = client
        self._listing = Listing(client)

    def rows(self, query: str, *, size: int = LARGEST_PAGE, token: bytes = b"") -> VisibilityPage:
        """One page of the activities that a visibility query finds."""
        request = ListActivityExecutionsRequest(
            namespace=self._client.namespace, page_size=size, next_page_token=token, query=query
        )
        return self._client.run(
            lambda deadline: self._listing.page(
                "list_activity_executions", request, activity_row, deadline
            ),
            LONG,
        )

    def count(self, query: str) -> int:
        """How many activities a visibility query finds."""
        request = CountActivityExecutionsRequest(namespace=self._client.namespace, query=query)
        return self._client.run(
            lambda deadline: self._listing.count("count_activity_executions", request, deadline),
            LONG,
        )

    def describe(self, activity_id: str, run_id: str) -> ActivityDescription:
        """What one activity is doing now, or how it ended. NotFound when the server no longer has
        it, Refused when nobody can decode what it has."""
        description = self.describe_all([(activity_id, run_id)])[0]
        if description is None:
            raise NotFound(f"no activity {activity_id} with run {run_id}")
        if isinstance(description, Undecodable):
            raise Refused(description.problem, code=UNDECODABLE)
        return description

    def describe_all(self, refs: Sequence[Ref]) -> list[ActivityDescription | Undecodable | None]:
        """As `describe`, several at once and in their order; None for those that are gone."""

        async def one(ref: Ref, deadline: float) -> ActivityDescription | Undecodable | None:
            request = DescribeActivityExecutionRequest(
                namespace=self._client.namespace,
                activity_id=ref[0],
                run_id=ref[1],
                include_input=True,
                include_outcome=True,
                include_heartbeat_details=True,
                include_last_failure=True,
            )
            what = f"describe activity {ref[0][:200]}"
            try:
                answer = await call(
                    self._client, "describe_activity_execution", request, what, deadline
                )
                return decoded(what, activity_description, answer)
            except NotFound:
                return None
            except Refused as problem:
                return undecodable(problem)

        return self._client.run(lambda deadline: each(refs, one, deadline), LONG)


def activity_row(info: ActivityExecutionListInfo | ActivityExecutionInfo) -> VisibilityRow:
    """One activity as visibility (or its description) has it."""
    return VisibilityRow(
        workflow_id=info.activity_id,
        run_id=info.run_id,
        type=text(info.activity_type.name, LONGEST_NAME),
        queue=text(info.task_queue, LONGEST_IDENTITY),
        status=_STATUSES.get(info.status, "unspecified"),
        created_at=at(info.schedule_time),
        due_at=moment(info.execution_time),
        closed_at=moment(info.close_time),
        history_length=0,
        history_size=info.state_size_bytes,
        transitions=info.state_transition_count,
        first_run_id="",
        attributes=_attributes(info.search_attributes.indexed_fields),
    )


def _attributes(payloads: Mapping[str, Payload]) -> dict[str, Any]:
    shown = fields(payloads, ROOM, OURS)
    shown.pop("TemporalNamespaceDivision", None)  # how the server tells them from workflows
    return shown


def activity_description(answer: DescribeActivityExecutionResponse) -> ActivityDescription:
    """What an activity is doing now, or how it ended."""
    info, outcome = answer.info, answer.outcome
    ended_with = failure(outcome.failure, ROOM) if outcome.HasField("failure") else None
    summary = value(info.user_metadata.summary, ROOM)
    return ActivityDescription(
        row=activity_row(info),
        activity=_attempt(info),
        input=tuple(values(answer.input.payloads, ROOM)),
        result=tuple(values(outcome.result.payloads, ROOM)),
        failure=ended_with,
        retry_state=RETRY_STATES.get(outcome.retry_state, "") if outcome.retry_state else "",
        headers=fields(info.header.fields, ROOM, OURS),
        summary=text(summary, LONGEST_NAME) if isinstance(summary, str) else "",
        document=_document(answer),
    )


def _document(answer: DescribeActivityExecutionResponse) -> bytes:
    # The token is for who waits, and another each time.
    kept = DescribeActivityExecutionResponse()
    kept.CopyFrom(answer)
    kept.ClearField("long_poll_token")
    try:
        return json_format.MessageToJson(kept, sort_keys=True).encode()
    except (ValueError, json_format.Error) as problem:
        # JSON knows no times beyond the year 9999.
        named = {"activityId": clean(answer.info.activity_id), "runId": clean(answer.run_id)}
        return orjson.dumps({**named, "problem": f"not to be said as JSON: {problem}"[:500]})


def _attempt(info: ActivityExecutionInfo) -> PendingActivity:
    paused: dict[str, Any] = {"paused_by": "", "pause_reason": "", "paused_at": None}
    return PendingActivity(
        activity_id=text(info.activity_id, LONGEST_IDENTITY),
        type=text(info.activity_type.name, LONGEST_NAME),
        state=ACTIVITY_STATES.get(info.run_state, "unspecified"),
        attempt=max(info.attempt, 0),
        maximum_attempts=max(info.retry_policy.maximum_attempts, 0),
        scheduled_at=moment(info.schedule_time),
        started_at=moment(info.last_started_time),
        next_attempt_at=moment(info.next_attempt_schedule_time),
        attempt_ended_at=moment(info.last_attempt_complete_time),
        expires_at=moment(info.expiration_time),
        retry_seconds=seconds(info.current_retry_interval),
        heartbeat=heartbeat(info.heartbeat_details.payloads, ROOM),
        heartbeat_at=moment(info.last_heartbeat_time),
        failure=failure(info.last_failure, ROOM) if info.HasField("last_failure") else None,
        worker=text(info.last_worker_identity, LONGEST_IDENTITY),
        build=text(info.last_deployment_version.build_id, LONGEST_IDENTITY),
        fairness_key=text(info.priority.fairness_key, 64),
        priority=info.priority.priority_key,
        **paused,
    )
