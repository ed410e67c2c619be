"""What people do to workflow runs: cancel, terminate, reset, signal, activities, priority.

    Operations(client_for(target)).terminate(run, OperationContext(identity, reason, request_id))

Sync, plain values, the errors of console.errors. A request id makes a repetition harmless where
the server takes one (cancel, signal, pause); a termination keeps it in its details, so that one
whose answer was lost is known for ours. A reset that is repeated makes another run all the same
(seen on 1.32, once the first new run had ended), so it is sent once and never again by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads, Priority, WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    PauseActivityRequest,
    RequestCancelWorkflowExecutionRequest,
    ResetActivityRequest,
    ResetWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
    UnpauseActivityRequest,
    UpdateWorkflowExecutionOptionsRequest,
)

from console.clients.temporal.client import TemporalClient
from console.clients.temporal.name_checks import shorten
from console.clients.temporal.workflow_service import call
from console.errors import Conflict, Refused

PAGE: Final = 1000
RESET_SECONDS: Final = 30.0
"""How long looking for the point of a reset and resetting may take."""
# What a reset may go back to: the end of a workflow task.
_BOUNDARIES: Final = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
        EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    }
)


@dataclass(frozen=True, slots=True)
class OperationContext:
    """Who does something, why, and the id under which doing it again is the same thing."""

    identity: str
    reason: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a workflow; without a run id whichever run is the latest."""

    workflow_id: str
    run_id: str = ""

    def wire(self) -> WorkflowExecution:
        """As the server wants it."""
        return WorkflowExecution(workflow_id=self.workflow_id, run_id=self.run_id)


class Operations:
    """Operations on runs of the client's namespace."""

    def __init__(self, client: TemporalClient) -> None:
        self._client = client
        self._namespace = client.namespace

    def cancel(self, run: Execution, context: OperationContext) -> None:
        """Asks the workflow to cancel. Conflict when it has ended."""
        request = RequestCancelWorkflowExecutionRequest(
            namespace=self._namespace,
            workflow_execution=run.wire(),
            identity=shorten(context.identity),
            request_id=context.request_id,
            reason=shorten(context.reason),
        )
        self._do("request_cancel_workflow_execution", request, f"cancel {run.workflow_id}")

    def terminate(self, run: Execution, context: OperationContext) -> None:
        """Ends the run at once. Conflict when it has ended already, but for this very request."""
        request = TerminateWorkflowExecutionRequest(
            namespace=self._namespace,
            workflow_execution=run.wire(),
            identity=shorten(context.identity),
            reason=shorten(context.reason),
            details=json_payloads(json.dumps({"headroom_request": context.request_id})),
        )
        what = f"terminate {run.workflow_id}"

        async def go(deadline: float) -> None:
            try:
                await self._call("terminate_workflow_execution", request, what, deadline)
            except Conflict:
                # An earlier try may have done it and its answer got lost on the way.
                if not await self._is_ended_by(run, request.details, deadline):
                    raise

        self._client.run(go)

    def signal(self, run: Execution, name: str, value: str, context: OperationContext) -> None:
        """Sends a signal with one JSON value (as text; empty: without input)."""
        request = SignalWorkflowExecutionRequest(
            namespace=self._namespace,
            workflow_execution=run.wire(),
            signal_name=name,
            identity=shorten(context.identity),
            request_id=context.request_id,
        )
        if value:
            request.input.CopyFrom(json_payloads(value))
        self._do("signal_workflow_execution", request, f"signal {run.workflow_id}")

    def reset(self, run: Execution, point: str | int, context: OperationContext) -> tuple[str, int]:
        """Begins a new run from `point`: "first" or "last" workflow task, or an event id.

        Gives the new run's id and the event gone back to. Refused (code `invalid`) when the event
        is no end of a workflow task; the message names the nearest ones.
        """

        async def go(deadline: float) -> tuple[str, int]:
            event = await self._point(run, point, deadline)
            request = ResetWorkflowExecutionRequest(
                namespace=self._namespace,
                workflow_execution=run.wire(),
                reason=shorten(context.reason),
                workflow_task_finish_event_id=event,
                request_id=context.request_id,
                reset_reapply_type=ResetReapplyType.RESET_REAPPLY_TYPE_ALL_ELIGIBLE,
                identity=shorten(context.identity),
            )
            what = f"reset {run.workflow_id}"
            answer = await call(
                self._client, "reset_workflow_execution", request, what, deadline, attempts=1
            )
            return str(answer.run_id), event

        return self._client.run(go, RESET_SECONDS)

    def pause_activity(self, run: Execution, activity: str, context: OperationContext) -> None:
        """Stops further attempts of a pending activity. NotFound when none has that id."""
        request = PauseActivityRequest(
            namespace=self._namespace,
            execution=run.wire(),
            identity=shorten(context.identity),
            id=activity,
            reason=shorten(context.reason),
            request_id=context.request_id,
        )
        self._do("pause_activity", request, f"pause activity {activity}")

    def unpause_activity(
        self,
        run: Execution,
        activity: str,
        context: OperationContext,
        *,
        reset_attempts: bool = False,
    ) -> None:
        """Lets a paused activity go on, from attempt 1 with `reset_attempts`."""
        request = UnpauseActivityRequest(
            namespace=self._namespace,
            execution=run.wire(),
            identity=shorten(context.identity),
            id=activity,
            reset_attempts=reset_attempts,
        )
        self._do("unpause_activity", request, f"unpause activity {activity}")

    def reset_activity(
        self,
        run: Execution,
        activity: str,
        context: OperationContext,
        *,
        keep_paused: bool = True,
        reset_heartbeat: bool = False,
    ) -> None:
        """Begins a pending activity's attempts anew."""
        request = ResetActivityRequest(
            namespace=self._namespace,
            execution=run.wire(),
            identity=shorten(context.identity),
            id=activity,
            keep_paused=keep_paused,
            reset_heartbeat=reset_heartbeat,
        )
        self._do("reset_activity", request, f"reset activity {activity}")

    def set_priority(
        self,
        run: Execution,
        context: OperationContext,
        *,
        key: int = 0,
        fairness: str = "",
        weight: float = 0.0,
    ) -> None:
        """Sets priority key (1 to 5, 0: default), fairness key and weight (0: default) of what the
        run schedules from now on."""
        priority = Priority(priority_key=key, fairness_key=fairness, fairness_weight=weight)
        request = UpdateWorkflowExecutionOptionsRequest(
            namespace=self._namespace,
            workflow_execution=run.wire(),
            workflow_execution_options=WorkflowExecutionOptions(priority=priority),
            update_mask=FieldMask(paths=["priority"]),
            identity=shorten(context.identity),
        )
        self._do("update_workflow_execution_options", request, f"prioritise {run.workflow_id}")

    async def _point(self, run: Execution, point: str | int, deadline: float) -> int:
        """The event id to go back to."""
        if point == "last":
            return await self._last_task(run, deadline)
        nearest: list[int] = []
        token = b""
        while True:
            request = GetWorkflowExecutionHistoryRequest(
                namespace=self._namespace,
                execution=run.wire(),
                maximum_page_size=PAGE,
                next_page_token=token,
            )
            answer = await self._read("get_workflow_execution_history", request, run, deadline)
            ends = [int(event.event_id) for event in answer.history.events if _is_end(event)]
            if point == "first" and ends:
                return ends[0]
            if point in ends:
                return int(point)
            nearest = _nearest([*nearest, *ends], point)
            token = answer.next_page_token
            if not token:
                raise _no_point(point, nearest)

    async def _last_task(self, run: Execution, deadline: float) -> int:
        token = b""
        while True:
            answer = await self._latest(run, deadline, token=token)
            for event in answer.history.events:
                if _is_end(event):
                    return int(event.event_id)
            token = answer.next_page_token
            if not token:
                raise _no_point("last", [])

    async def _latest(
        self, run: Execution, deadline: float, *, most: int = PAGE, token: bytes = b""
    ) -> Any:
        """A page of the history, the last event first."""
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self._namespace,
            execution=run.wire(),
            maximum_page_size=most,
            next_page_token=token,
        )
        return await self._read("get_workflow_execution_history_reverse", request, run, deadline)

    async def _read(self, method: str, request: Message, run: Execution, deadline: float) -> Any:
        return await self._call(method, request, f"read the history of {run.workflow_id}", deadline)

    async def _is_ended_by(self, run: Execution, details: Payloads, deadline: float) -> bool:
        """Whether the run's last event is a termination with these details."""
        answer = await self._latest(run, deadline, most=1)
        last = answer.history.events[0]
        return bool(last.workflow_execution_terminated_event_attributes.details == details)

    def _do(self, method: str, request: Message, what: str) -> None:
        self._client.run(lambda end: self._call(method, request, what, end))

    async def _call(self, method: str, request: Message, what: str, deadline: float) -> Any:
        return await call(self._client, method, request, what, deadline)


def json_payloads(value: str) -> Payloads:
    """JSON text as the one argument that workers of every language read: with its numbers as they
    were written, whatever a float of ours would make of them."""
    return Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=value.encode())])


def _is_end(event: HistoryEvent) -> bool:
    return event.event_type in _BOUNDARIES


def _nearest(ends: list[int], point: str | int) -> list[int]:
    """The ends of workflow tasks next to the point, before and after."""
    if not isinstance(point, int):
        return []
    before = [end for end in ends if end < point][-1:]
    after = [end for end in ends if end > point][:1]
    return before + after


def _no_point(point: str | int, nearest: list[int]) -> Refused:
    if not isinstance(point, int):
        return Refused("no workflow task has ended yet: there is nothing to go back to")
    others = " or ".join(str(event_id) for event_id in nearest)
    hint = f"; the nearest is {others}" if others else ""
    return Refused(f"event {point} is no end of a workflow task{hint}", code="invalid")
