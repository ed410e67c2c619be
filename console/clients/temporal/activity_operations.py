"""What people do to standalone activities: cancel, terminate. As in operations.py."""

from __future__ import annotations

from google.protobuf.message import Message
from temporalio.api.workflowservice.v1 import (
    RequestCancelActivityExecutionRequest,
    TerminateActivityExecutionRequest,
)

from console.clients.temporal.client import TemporalClient
from console.clients.temporal.name_checks import shorten
from console.clients.temporal.operations import Execution, OperationContext
from console.clients.temporal.workflow_service import call
from console.errors import Conflict, Refused

_ENDED = ("in terminal state", "invalid transition", "already terminated")
"""How the server says (1.32) that there is nothing left to be done to an activity."""


class ActivityOperations:
    """Operations on the standalone activities of the client's namespace; an Execution's
    `workflow_id` is the activity's id. A request id makes a repetition harmless."""

    def __init__(self, client: TemporalClient) -> None:
        self._client = client

    def cancel(self, activity: Execution, context: OperationContext) -> None:
        """Asks the activity to cancel. Conflict when it has ended."""
        request = RequestCancelActivityExecutionRequest(
            namespace=self._client.namespace,
            activity_id=activity.workflow_id,
            run_id=activity.run_id,
            identity=shorten(context.identity),
            request_id=context.request_id,
            reason=shorten(context.reason),
        )
        self._do("request_cancel_activity_execution", request, f"cancel {activity.workflow_id}")

    def terminate(self, activity: Execution, context: OperationContext) -> None:
        """Ends the activity at once. Conflict when it has ended."""
        request = TerminateActivityExecutionRequest(
            namespace=self._client.namespace,
            activity_id=activity.workflow_id,
            run_id=activity.run_id,
            identity=shorten(context.identity),
            request_id=context.request_id,
            reason=shorten(context.reason),
        )
        self._do("terminate_activity_execution", request, f"terminate {activity.workflow_id}")

    def _do(self, method: str, request: Message, what: str) -> None:
        try:
            self._client.run(lambda end: call(self._client, method, request, what, end))
        except Refused as problem:
            if any(words in problem.message for words in _ENDED):
                raise Conflict(f"{what}: the activity has ended already") from None
            raise
