"""Temporal's controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from console.clients.temporal.activity_operations import ActivityOperations
from console.clients.temporal.operations import Execution, OperationContext, Operations
from console.clients.temporal.visibility_query import find_runs
from console.errors import Refused
from observability.engines.contracts import Engine
from observability.engines.temporal.run_ids import is_standalone, own_run_id
from observability.engines.temporal.verbs import STANDALONE, VERBS
from observability.engines.verbs import (
    ActionRequest,
    Answer,
    Availability,
    RunFacts,
    RunFound,
    by_status,
)
from tenants.adapters.temporal import client_for
from tenants.contracts import TargetRef


class TemporalControls:
    """Speaks to a Temporal namespace."""

    engine = Engine.TEMPORAL

    def verbs(self, *, run: RunFacts, target: TargetRef) -> Sequence[Availability]:
        """By the run's status alone; to a standalone activity, what needs no workflow."""
        offered = by_status(VERBS, run, target.options)
        if not is_standalone(run.run_id):
            return offered
        return [
            availability
            if availability.verb.name in STANDALONE
            else Availability(availability.verb, _NO_WORKFLOW, hidden=True)
            for availability in offered
        ]

    def perform(self, *, run: RunFacts, target: TargetRef, request: ActionRequest) -> Answer:
        """One call, under the operator's name."""
        if is_standalone(run.run_id):
            return _on_activity(run, target, request)
        operations = Operations(client_for(target))
        return _OPERATIONS[request.verb](
            operations, Execution(run.external_id, run.run_id), request
        )

    def find(self, *, target: TargetRef, query: str, most: int) -> Sequence[RunFound]:
        """By pages of a thousand, half a second each."""
        return [
            RunFound(
                external_id=row.workflow_id,
                run_id=row.run_id,
                type=row.type,
                is_open=row.status in {"running", "paused"},
                status=row.status,
                tenant=row.tenant,
            )
            for row in find_runs(client_for(target), query, most=most)
        ]


_NO_WORKFLOW: Final = "No workflow runs this activity."


def _on_activity(run: RunFacts, target: TargetRef, request: ActionRequest) -> Answer:
    operations = ActivityOperations(client_for(target))
    activity = Execution(run.external_id, own_run_id(run.run_id))
    if request.verb == "cancel":
        operations.cancel(activity, _context(request))
        return Answer("Temporal took the request to cancel; the activity decides when it ends.")
    if request.verb == "terminate":
        operations.terminate(activity, _context(request))
        return Answer("Temporal has terminated the activity.")
    raise Refused(_NO_WORKFLOW, code="not_supported")


def _context(request: ActionRequest) -> OperationContext:
    return OperationContext(request.identity, request.stated, request.id)


def _cancel(operations: Operations, run: Execution, request: ActionRequest) -> Answer:
    operations.cancel(run, _context(request))
    return Answer("Temporal took the request to cancel; the workflow decides when it ends.")


def _terminate(operations: Operations, run: Execution, request: ActionRequest) -> Answer:
    operations.terminate(run, _context(request))
    return Answer("Temporal has terminated the run.")


def _reset(operations: Operations, run: Execution, request: ActionRequest) -> Answer:
    chosen = request.arguments.get("point", "last")
    point = int(request.arguments["event"]) if chosen == "event" else str(chosen)
    new_run, event = operations.reset(run, point, _context(request))
    return Answer(f"A new run goes on from event {event}.", {"run_id": new_run, "event": event})


def _signal(operations: Operations, run: Execution, request: ActionRequest) -> Answer:
    name = str(request.arguments["name"])
    operations.signal(run, name, str(request.arguments.get("input", "")), _context(request))
    return Answer(f"Temporal has recorded the signal {name}.")


def _pause(operations: Operations, run: Execution, request: ActionRequest) -> Answer:
    activity = str(request.arguments["activity"])
    operations.pause_activity(run, activity, _context(request))
    return Answer(f"Activity {activity} is paused.")


def _unpause(operations: Operations, run: Execution, request: ActionRequest) -> Answer:
    activity = str(request.arguments["activity"])
    again = bool(request.arguments.get("reset_attempts"))
    operations.unpause_activity(run, activity, _context(request), reset_attempts=again)
    return Answer(f"Activity {activity} goes on.")


def _reset_activity(operations: Operations, run: Execution, request: ActionRequest) -> Answer:
    activity = str(request.arguments["activity"])
    operations.reset_activity(
        run,
        activity,
        _context(request),
        keep_paused=bool(request.arguments.get("keep_paused", True)),
        reset_heartbeat=bool(request.arguments.get("reset_heartbeat")),
    )
    return Answer(f"Activity {activity} begins with attempt 1 again.")


def _priority(operations: Operations, run: Execution, request: ActionRequest) -> Answer:
    arguments = request.arguments
    operations.set_priority(
        run,
        _context(request),
        key=int(arguments.get("priority_key", 0)),
        fairness=str(arguments.get("fairness_key", "")),
        weight=float(arguments.get("fairness_weight", 0.0)),
    )
    return Answer("What the run schedules from now on has the new priority.")


_OPERATIONS: Final[Mapping[str, Callable[[Operations, Execution, ActionRequest], Answer]]] = {
    "cancel": _cancel,
    "terminate": _terminate,
    "reset": _reset,
    "signal": _signal,
    "pause_activity": _pause,
    "unpause_activity": _unpause,
    "reset_activity": _reset_activity,
    "set_priority": _priority,
}
