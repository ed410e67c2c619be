"""The history of a run, reduced to events of the trail and to what only it says of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from console.clients.temporal.records import HistoryEvent
from observability.engines.contracts import EventKind
from observability.engines.temporal import history_runs, history_steps, history_tasks
from observability.engines.temporal.history_state import Events, HistoryState, event_of
from observability.engines.temporal.labels import LABELS, EventLabel


def reduce_history(events: Iterable[HistoryEvent], after: int = 0) -> HistoryState:
    """What events say, in their order. Those up to the id `after` are known: they only say what
    later ones refer to."""
    state = HistoryState()
    for event in events:
        if event.id == 1:
            state.first = event
            state.attempts = max(state.attempts, event.attempt)
            state.queue = str(event.detail.get("task_queue", ""))
        state.last = event
        reduced = _HANDLERS.get(event.type, _labelled)(state, event)
        if event.id > after:
            state.events.extend(reduced)
    return state


def _labelled(_: HistoryState, event: HistoryEvent) -> Events:
    label = LABELS.get(event.type) or EventLabel(
        EventKind.NOTE, event.type.replace("_", " ").capitalize()
    )
    step, name = label.step(event)
    return (
        event_of(
            event,
            label.kind,
            label.title(event),
            step=step,
            step_name=name,
            detail=label.facts(event),
        ),
    )


_HANDLERS: Final[Mapping[str, Callable[[HistoryState, HistoryEvent], Events]]] = {
    **history_runs.HANDLERS,
    **history_tasks.HANDLERS,
    **history_steps.HANDLERS,
}
