"""The process that replays: histories in on standard input, one line of JSON out for each.

Started by runner.py in isolated mode, with a small environment and nothing of the console loaded.
Standard input: one line of JSON (the job), then for each history one line of JSON with its size in
bytes, followed by as many bytes. The answers go to the file descriptor that the job names, because
the SDK's core, and any bundle, may write to standard output: how far this process is isolated, then
what is in the bundle, then one for each history.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from console.clients.temporal.replay import compare, isolation

LONGEST: Final = 2000
_DEFINITION: Final = "__temporal_workflow_definition"


def main() -> None:
    """Reads the job, confines itself, imports the bundle, replays until standard input ends."""
    source = sys.stdin.buffer
    job = json.loads(source.readline())
    answers = os.fdopen(job["answers"], "w", encoding="utf-8")
    isolation.die_with_parent()
    # The console is no place to import from: what was needed of it is here.
    root = Path(sys.path.pop(0))
    # Before the filters, one of which keeps limits as they are.
    isolation.limit_resources(memory=job["memory"], processor=job["processor"])
    # Before any thread is started: the filters hold for this thread and those it starts.
    isolated = isolation.cut_off(code=map(Path, job["paths"]), own=Path.cwd(), root=root)
    # Before the bundle has a say.
    _send(answers, asdict(isolated))
    runtime = Runtime(telemetry=TelemetryConfig(logging=None))
    recorder = compare.Recorder(SandboxedWorkflowRunner(), UnsandboxedWorkflowRunner())
    try:
        workflows = load(job["paths"], job["modules"])
        names = named(workflows)
        for workflow in workflows:
            recorder.prepare_workflow(getattr(workflow, _DEFINITION))
    except BaseException as error:  # noqa: BLE001 - whatever importing a bundle raises is its fault
        _send(answers, {"error": f"{type(error).__name__}: {error}"[:LONGEST]})
        os._exit(0)
    replayer = Replayer(workflows=workflows, workflow_runner=recorder, runtime=runtime)
    _send(answers, {"workflows": names})
    asyncio.run(_serve(source, answers, replayer, recorder))
    answers.flush()
    os._exit(0)  # the SDK's threads may crash an orderly end of the interpreter


def load(paths: Iterable[str], modules: Iterable[str]) -> list[type]:
    """The workflow classes of the modules. Raises what importing raises, and ValueError without
    any workflow."""
    sys.path[:0] = list(paths)
    classes: dict[str, type] = {}
    for name in modules:
        module = importlib.import_module(name)
        for value in vars(module).values():
            if isinstance(value, type) and _DEFINITION in vars(value):
                classes[f"{value.__module__}.{value.__qualname__}"] = value
    if not classes:
        raise ValueError(f"no class with @workflow.defn in {', '.join(modules) or 'no module'}")
    return list(classes.values())


def named(workflows: Iterable[type]) -> list[str]:
    """The names of workflows, sorted. Raises ValueError when two have the same: the SDK takes only
    one of them."""
    classes: dict[str, type] = {}
    for workflow in workflows:
        name = getattr(workflow, _DEFINITION).name or "(dynamic)"
        other = classes.setdefault(name, workflow)
        if other is not workflow:
            places = " and ".join(
                f"{cls.__module__}.{cls.__qualname__}" for cls in (other, workflow)
            )
            raise ValueError(f"two workflows are called {name}: {places}")
    return sorted(classes)


async def _serve(
    source: IO[bytes], answers: IO[str], replayer: Replayer, recorder: compare.Recorder
) -> None:
    while line := source.readline():
        head = json.loads(line)
        document = source.read(head["size"])
        begun = time.perf_counter()
        answer = await _replay(replayer, recorder, head["workflow_id"], document)
        answer |= {"id": head["id"], "ms": round((time.perf_counter() - begun) * 1000)}
        _send(answers, answer)


async def _replay(
    replayer: Replayer, recorder: compare.Recorder, workflow_id: str, document: bytes
) -> dict[str, Any]:
    recorder.take()
    try:
        events = list(History.FromString(document).events)
    except Exception as error:  # noqa: BLE001 - protobuf's own error types
        return {"verdict": "malformed", "message": f"This is no history: {error}"[:LONGEST]}
    if fault := _fault(events):
        return {"verdict": "malformed", "message": fault}
    result = await replayer.replay_workflow(
        WorkflowHistory(workflow_id, events), raise_on_replay_failure=False
    )
    failure = result.replay_failure
    if failure is None:
        return {"verdict": "deterministic", "events": len(events)}
    return {"events": len(events), **_failed(failure, events, recorder)}


def _fault(events: list[Any]) -> str:
    """Why the SDK would wait for ever on these events; empty when it would not."""
    if len(events) < 2:
        return f"A history has at least 2 events; this one has {len(events)}."
    if events[0].event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
        return "The first event is not WorkflowExecutionStarted: the beginning is missing."
    numbers = [event.event_id for event in events]
    if numbers != list(range(1, len(events) + 1)):
        return "The events are not numbered 1, 2, 3, …: some are missing or out of order."
    return ""


def _failed(failure: Exception, events: list[Any], recorder: compare.Recorder) -> dict[str, Any]:
    message = str(failure)
    if not isinstance(failure, NondeterminismError):
        return {"verdict": "failed", "message": compare.reason(message)}
    divergence = compare.first_divergence(
        compare.recorded(events, EventType.Name), recorder.take(), message
    )
    return {
        "verdict": "diverged",
        "message": compare.reason(message),
        "event_id": divergence.event_id,
        "event_type": divergence.event_type,
        "expected": divergence.expected[:LONGEST],
        "actual": divergence.actual[:LONGEST],
    }


def _send(answers: IO[str], answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
