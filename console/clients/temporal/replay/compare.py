"""What the code asked for, beside what the history says it asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from temporalio.worker import WorkflowInstance, WorkflowRunner

from console.unstructured import whole

_NAMED: Final = re.compile(r"HistoryEvent\(id: (\d+), (\w+)\)")
_REASON: Final = re.compile(r'message: "(.*?)", (?:explicit_cause|source)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class WorkflowCommand:
    """One command in a form that both sides can be brought into. `identity` is what has to be
    equal; `description` is for people; `event_id` is 0 for what only the code asked for."""

    identity: tuple[str, ...]
    description: str
    event_id: int = 0
    event_type: str = ""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first event of the history that the code would not have caused."""

    event_id: int
    event_type: str
    expected: str
    actual: str


class Recorder(WorkflowRunner):
    """Runs workflows as `inner` does, and keeps the commands that they ask for.

    Code that `inner` does not take, such as that of workers without a sandbox, runs as `plain`
    does.
    """

    def __init__(self, inner: WorkflowRunner, plain: WorkflowRunner) -> None:
        self._inner = inner
        self._plain = plain
        self._chosen: dict[type, WorkflowRunner] = {}
        self.activations: list[list[Any]] = []

    def prepare_workflow(self, defn: Any) -> None:
        """As one of the two does; once, though the SDK asks again for every history."""
        if defn.cls in self._chosen:
            return
        try:
            self._inner.prepare_workflow(defn)
        except Exception:  # noqa: BLE001 - whatever it raises: the other may take it
            self._plain.prepare_workflow(defn)
            self._chosen[defn.cls] = self._plain
        else:
            self._chosen[defn.cls] = self._inner

    def set_worker_level_failure_exception_types(
        self, types: Sequence[type[BaseException]]
    ) -> None:
        """As both do."""
        for runner in (self._inner, self._plain):
            runner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: Any) -> WorkflowInstance:
        """An instance of the one that takes the workflow, watched."""
        instance = self._chosen.get(det.defn.cls, self._inner).create_instance(det)
        activate, kept = instance.activate, self.activations

        def watched(act: Any) -> Any:
            completion = activate(act)
            kept.append(list(completion.successful.commands))
            return completion

        instance.activate = watched  # type: ignore[method-assign]  # one instance, watched
        return instance

    def take(self) -> list[WorkflowCommand]:
        """What was asked for since the last call, in order."""
        steps = [step for commands in self.activations for step in _commands_of(commands)]
        self.activations.clear()
        return steps


def _commands_of(commands: Iterable[Any]) -> list[WorkflowCommand]:
    steps: dict[tuple[str, int], WorkflowCommand] = {}
    others: list[tuple[tuple[str, int], WorkflowCommand]] = []
    for number, command in enumerate(commands):
        name = command.WhichOneof("variant")
        body = getattr(command, name)
        if name == "cancel_timer" and ("start_timer", body.seq) in steps:
            # Started and cancelled in one task: the server never hears of it.
            del steps["start_timer", body.seq]
            continue
        step = _command(name, body)
        if step is not None:
            key = (name, body.seq) if name == "start_timer" else (name, -number - 1)
            steps[key] = step
            others.append((key, step))
    return [step for key, step in others if key in steps]


def _command(name: str, body: Any) -> WorkflowCommand | None:
    if name == "schedule_activity":
        return _activity(body.activity_type, body.activity_id)
    if name == "start_timer":
        seconds = body.start_to_fire_timeout.ToMilliseconds() / 1000
        return WorkflowCommand(("timer",), f"start a timer of {seconds:g} s")
    if name == "cancel_timer":
        return WorkflowCommand(("cancel timer",), "cancel a timer")
    if name == "start_child_workflow_execution":
        return _child(body.workflow_type, body.workflow_id)
    if name == "signal_external_workflow_execution":
        return WorkflowCommand(
            ("signal", body.signal_name), f"signal another workflow: {body.signal_name}"
        )
    return _CLOSING.get(name)


_COMPLETES: Final = WorkflowCommand(("complete",), "complete the workflow")
_FAILS: Final = WorkflowCommand(("fail",), "fail the workflow")
_CANCELS: Final = WorkflowCommand(("cancel",), "end the workflow as cancelled")
_CONTINUES: Final = WorkflowCommand(("continue",), "continue as new")
_CLOSING: Final = {
    "complete_workflow_execution": _COMPLETES,
    "fail_workflow_execution": _FAILS,
    "cancel_workflow_execution": _CANCELS,
    "continue_as_new_workflow_execution": _CONTINUES,
}
_EVENT_PREFIX: Final = "EVENT_TYPE_"


def _activity(kind: str, name: str) -> WorkflowCommand:
    return WorkflowCommand(("activity", kind, name), f"schedule activity {kind} (id {name})")


def _child(kind: str, name: str) -> WorkflowCommand:
    return WorkflowCommand(("child", kind, name), f"start child workflow {kind} (id {name})")


def recorded(events: Iterable[Any], type_name: Any) -> list[WorkflowCommand]:
    """The history's commands as steps; `type_name` turns an event's type number into its name."""
    steps = []
    for event in events:
        name = type_name(event.event_type).removeprefix(_EVENT_PREFIX)
        step = _event(name, event)
        if step is not None:
            steps.append(
                WorkflowCommand(step.identity, step.description, event.event_id, _camel(name))
            )
    return steps


def _event(name: str, event: Any) -> WorkflowCommand | None:
    if name == "ACTIVITY_TASK_SCHEDULED":
        body = event.activity_task_scheduled_event_attributes
        return _activity(body.activity_type.name, body.activity_id)
    if name == "TIMER_STARTED":
        body = event.timer_started_event_attributes
        return WorkflowCommand(
            ("timer",),
            f"start a timer of {body.start_to_fire_timeout.ToMilliseconds() / 1000:g} s",
        )
    if name == "START_CHILD_WORKFLOW_EXECUTION_INITIATED":
        body = event.start_child_workflow_execution_initiated_event_attributes
        return _child(body.workflow_type.name, body.workflow_id)
    if name == "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED":
        signal = event.signal_external_workflow_execution_initiated_event_attributes.signal_name
        return WorkflowCommand(("signal", signal), f"signal another workflow: {signal}")
    return {
        "TIMER_CANCELED": WorkflowCommand(("cancel timer",), "cancel a timer"),
        "WORKFLOW_EXECUTION_COMPLETED": _COMPLETES,
        "WORKFLOW_EXECUTION_FAILED": _FAILS,
        "WORKFLOW_EXECUTION_CANCELED": _CANCELS,
        "WORKFLOW_EXECUTION_CONTINUED_AS_NEW": _CONTINUES,
    }.get(name)


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def first_divergence(
    history: Sequence[WorkflowCommand], replayed: Sequence[WorkflowCommand], message: str
) -> Divergence:
    """Where the two part. The SDK stops at the first difference, so `replayed` ends near it; where
    the steps do not tell (markers, for example) the event that the SDK names is taken."""
    for position, step in enumerate(history):
        actual = replayed[position] if position < len(replayed) else None
        if actual is None or actual.identity != step.identity:
            description = actual.description if actual else "ask for nothing here: it waits"
            return Divergence(step.event_id, step.event_type, step.description, description)
    if len(replayed) > len(history):
        return Divergence(0, "", "nothing more", replayed[len(history)].description)
    named = _NAMED.search(message)
    if named:
        event_id = whole(named[1]) or 0
        return Divergence(event_id, named[2], f"event {named[1][:20]}, {named[2]}", reason(message))
    return Divergence(0, "", "", reason(message))


def reason(message: str) -> str:
    """The sentence inside the SDK's text of a failure."""
    match = _REASON.search(message)
    return (match[1] if match else message).strip()[:1000]
