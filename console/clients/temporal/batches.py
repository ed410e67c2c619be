"""Temporal's own batches: one thing done to every run that a visibility query finds.

The server keeps the reason but loses the identity of whoever started a batch (facts: terminations
name the server itself), so the reason has to name the operator and the ledger has to know.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.empty_pb2 import Empty
from temporalio.api.batch.v1 import (
    BatchOperationCancellation,
    BatchOperationReset,
    BatchOperationSignal,
    BatchOperationTermination,
)
from temporalio.api.common.v1 import ResetOptions
from temporalio.api.enums.v1 import (
    BatchOperationState,
    ResetReapplyType,
    WorkflowExecutionStatus,
)
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeBatchOperationRequest,
    ListWorkflowExecutionsRequest,
    StartBatchOperationRequest,
    StopBatchOperationRequest,
)

from console.clients.temporal.client import TemporalClient
from console.clients.temporal.names import shorten
from console.clients.temporal.operations import Doing, call, json_payloads
from console.errors import Refused

LOOK: Final = 1000
"""How many runs a count looks at: the server's largest page."""
TENANT: Final = "TenantId"
_STATES: Final = {
    BatchOperationState.BATCH_OPERATION_STATE_RUNNING: "running",
    BatchOperationState.BATCH_OPERATION_STATE_COMPLETED: "completed",
    BatchOperationState.BATCH_OPERATION_STATE_FAILED: "failed",
}
_RUNNING_PREFIX: Final = "WORKFLOW_EXECUTION_STATUS_"


@dataclass(frozen=True, slots=True)
class Found:
    """A run that a query finds."""

    workflow_id: str
    run_id: str
    type: str
    status: str
    tenant: str


@dataclass(frozen=True, slots=True)
class Counted:
    """How many runs a query finds, and the first of them."""

    total: int
    first: tuple[Found, ...]

    def tenants(self) -> Mapping[str, int]:
        """Runs by tenant among the first; "" is nobody's."""
        return dict(Counter(each.tenant for each in self.first).most_common())


@dataclass(frozen=True, slots=True)
class State:
    """How far a batch is: `state` is running, completed or failed."""

    state: str
    total: int
    done: int
    failed: int


class Batches:
    """The batches of the client's namespace. Raises the errors of console.errors."""

    def __init__(self, client: TemporalClient) -> None:
        self._client = client
        self._namespace = client.namespace

    def count(self, query: str) -> Counted:
        """What a visibility query finds. Refused (code `invalid`) when it cannot be read."""
        wanted = check_query(query)

        async def go(deadline: float) -> Counted:
            what = "count runs"
            counting = CountWorkflowExecutionsRequest(namespace=self._namespace, query=wanted)
            counted = await call(
                self._client, "count_workflow_executions", counting, what, deadline
            )
            listing = ListWorkflowExecutionsRequest(
                namespace=self._namespace, query=wanted, page_size=LOOK
            )
            listed = await call(
                self._client, "list_workflow_executions", listing, "list runs", deadline
            )
            return Counted(int(counted.count), tuple(_found(each) for each in listed.executions))

        return self._client.run(go)

    def start(
        self, verb: str, query: str, arguments: Mapping[str, Any], doing: Doing, *, rate: int
    ) -> None:
        """Starts a batch whose id is the request id. `verb` is cancel, terminate, signal or reset;
        arguments as `name` and `input` (signal) or `point` first|last (reset)."""
        request = StartBatchOperationRequest(
            namespace=self._namespace,
            visibility_query=check_query(query),
            job_id=doing.request_id,
            reason=shorten(doing.reason),
            max_operations_per_second=float(rate),
        )
        _SETTERS[verb](request, shorten(doing.identity), arguments)

        async def go(deadline: float) -> None:
            await call(self._client, "start_batch_operation", request, f"{verb} a batch", deadline)

        self._client.run(go)

    def state(self, batch: str) -> State:
        """How far a batch is. NotFound when the server knows none of that id."""

        async def go(deadline: float) -> State:
            request = DescribeBatchOperationRequest(namespace=self._namespace, job_id=batch)
            answer = await call(
                self._client, "describe_batch_operation", request, "look at the batch", deadline
            )
            return State(
                state=_STATES.get(answer.state, "running"),
                total=int(answer.total_operation_count),
                done=int(answer.complete_operation_count),
                failed=int(answer.failure_operation_count),
            )

        return self._client.run(go)

    def stop(self, batch: str, doing: Doing) -> None:
        """Stops a batch; what it did stays done."""

        async def go(deadline: float) -> None:
            request = StopBatchOperationRequest(
                namespace=self._namespace,
                job_id=batch,
                reason=shorten(doing.reason),
                identity=shorten(doing.identity),
            )
            await call(self._client, "stop_batch_operation", request, "stop the batch", deadline)

        self._client.run(go)


def check_query(query: str) -> str:
    """A visibility query that says something: an empty one would mean every run there is."""
    said = query.strip()
    if not said:
        raise Refused(
            "the query is empty: it would mean every run of the namespace", code="invalid"
        )
    return said


def _found(info: WorkflowExecutionInfo) -> Found:
    name = WorkflowExecutionStatus.Name(info.status) if info.status else ""
    attribute = info.search_attributes.indexed_fields.get(TENANT)
    tenant = ""
    if attribute is not None:
        value = json.loads(attribute.data or b'""')
        tenant = str(value[0] if isinstance(value, list) and value else value or "")
    return Found(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        type=info.type.name,
        status=name.removeprefix(_RUNNING_PREFIX).replace("_", " ").lower(),
        tenant=tenant,
    )


def _cancel(request: StartBatchOperationRequest, identity: str, _: Mapping[str, Any]) -> None:
    request.cancellation_operation.CopyFrom(BatchOperationCancellation(identity=identity))


def _terminate(request: StartBatchOperationRequest, identity: str, _: Mapping[str, Any]) -> None:
    request.termination_operation.CopyFrom(BatchOperationTermination(identity=identity))


def _signal(
    request: StartBatchOperationRequest, identity: str, arguments: Mapping[str, Any]
) -> None:
    operation = BatchOperationSignal(signal=str(arguments["name"]), identity=identity)
    if arguments.get("input"):
        operation.input.CopyFrom(json_payloads(str(arguments["input"])))
    request.signal_operation.CopyFrom(operation)


def _reset(
    request: StartBatchOperationRequest, identity: str, arguments: Mapping[str, Any]
) -> None:
    options = ResetOptions(reset_reapply_type=ResetReapplyType.RESET_REAPPLY_TYPE_ALL_ELIGIBLE)
    point = arguments.get("point", "last")
    if point == "first":
        options.first_workflow_task.CopyFrom(Empty())
    elif point == "last":
        options.last_workflow_task.CopyFrom(Empty())
    else:
        raise Refused("a batch goes back to the first or the last workflow task", code="invalid")
    request.reset_operation.CopyFrom(BatchOperationReset(identity=identity, options=options))


_SETTERS: Final = {
    "cancel": _cancel,
    "terminate": _terminate,
    "signal": _signal,
    "reset": _reset,
}
