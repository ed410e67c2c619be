"""What can be done to a Celery task, and reading how it was called. Pure."""

from __future__ import annotations

from typing import Any, Final

from console.clients.celery.recorded_arguments import arguments, was_cut
from observability.engines.contracts import MASK, OPEN, Engine, Status
from observability.engines.verbs import Recorded, Verb

VERBS: Final[tuple[Verb, ...]] = (
    Verb(
        Engine.CELERY,
        "revoke",
        "Revoke",
        (
            "Workers drop the task when they come to it; one that runs already goes on.",
            "Workers that are started later do not know of it, unless they keep a state file.",
        ),
        frozenset({Status.WAITING, Status.PAUSED, Status.RUNNING}),
    ),
    Verb(
        Engine.CELERY,
        "revoke_terminate",
        "Revoke and kill",
        (
            "The worker process that runs the task gets SIGTERM: its code cannot finish.",
            "Should that process have taken another task meanwhile, that one is killed instead.",
        ),
        OPEN,
        destructive=True,
    ),
    Verb(
        Engine.CELERY,
        "retry",
        "Send again",
        (
            "The task is sent again with the arguments that its events recorded, under a new id.",
            "It is done once more: it must bear being repeated.",
        ),
        frozenset(Status) - OPEN,
    ),
)


def call_of(recorded: Recorded | None) -> tuple[str, list[Any], dict[str, Any], str]:
    """Task name, args and kwargs to send again, and why that is not possible (empty if it is).

    Events carry `repr` texts. Only what reads back as plain values is sent: an argument that was
    cut or masked, or an object, would make it another call.
    """
    if recorded is None or not recorded.task:
        return "", [], {}, "its events never said which task it is"
    texts = f"{recorded.args}{recorded.kwargs}"
    if not recorded.args or not recorded.kwargs:
        return "", [], {}, "its events did not contain the arguments"
    if MASK in texts:
        return "", [], {}, "the recorded arguments hold secrets that were masked"
    if was_cut(texts):
        return "", [], {}, "the recorded arguments were cut short"
    values = arguments(recorded.args, recorded.kwargs)
    if values is None:
        return "", [], {}, "the recorded arguments are not all plain values"
    return recorded.task, *values, ""
