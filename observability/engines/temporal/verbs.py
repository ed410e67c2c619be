"""What can be done to a Temporal workflow run. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.contracts import OPEN, Engine, Status
from observability.engines.verbs import Argument, FieldKind, Verb

_EVER: Final = frozenset(Status) - {Status.DELETED}
_MOST_EVENTS: Final = 2**53
_ACTIVITY = Argument(
    "activity", "Activity id", required=True, most=1000, help="The id of the pending activity."
)
_NO_EVENT = "Temporal writes no history event for this: the ledger and the note in the trail do."


def _verb(name: str, label: str, *effect: str, **more: object) -> Verb:
    return Verb(Engine.TEMPORAL, name, label, effect, **{"statuses": OPEN, **more})  # type: ignore[arg-type]  # the rest of Verb


STANDALONE: Final = frozenset({"cancel", "terminate"})
"""What can be done to an activity that no workflow runs."""
VERBS: Final[tuple[Verb, ...]] = (
    _verb(
        "cancel",
        "Cancel",
        "The run is asked to cancel: its code may clean up, and decides when it ends.",
        "A workflow hears of it at its next workflow task, an activity at its next heartbeat.",
        by_query=True,
    ),
    _verb(
        "terminate",
        "Terminate",
        "The run ends at once. Its code gets no signal and cannot clean up.",
        "Activities that run go on until they notice; children follow their parent close policy.",
        destructive=True,
        by_query=True,
    ),
    _verb(
        "reset",
        "Reset",
        "A new run begins with the history up to the chosen point and goes on from there.",
        "What came after is done again, activities too: they must bear being repeated.",
        "A run that is still open is terminated; signals and updates after the point are kept.",
        statuses=_EVER,
        by_query=True,
        arguments=(
            Argument(
                "point",
                "Go back to",
                FieldKind.CHOICE,
                required=True,
                default="last",
                choices=(
                    ("first", "the first workflow task: all is done again"),
                    ("last", "the last workflow task"),
                    ("event", "an event of the history"),
                ),
            ),
            Argument(
                "event",
                "Event id",
                FieldKind.NUMBER,
                least=1,
                most=_MOST_EVENTS,
                needed_with=("point", "event"),
                help="The end of a workflow task (WorkflowTaskCompleted, TimedOut or Failed).",
            ),
        ),
    ),
    _verb(
        "signal",
        "Signal",
        "The workflow gets the signal with its input, in order with all others.",
        "A workflow without a handler of that name keeps it and does nothing.",
        by_query=True,
        arguments=(
            Argument("name", "Signal", required=True, most=1000, help="The name of its handler."),
            Argument(
                "input",
                "Input (JSON)",
                FieldKind.JSON,
                most=100_000,
                help='One JSON value, such as {"approved": true}; empty sends none.',
            ),
        ),
    ),
    _verb(
        "pause_activity",
        "Pause an activity",
        "No further attempt of the activity starts; one that runs now goes on.",
        _NO_EVENT,
        arguments=(_ACTIVITY,),
        in_batch=False,
    ),
    _verb(
        "unpause_activity",
        "Unpause an activity",
        "The activity's next attempt may start.",
        _NO_EVENT,
        arguments=(
            _ACTIVITY,
            Argument(
                "reset_attempts", "Count attempts from 1 again", FieldKind.FLAG, default=False
            ),
        ),
        in_batch=False,
    ),
    _verb(
        "reset_activity",
        "Reset an activity",
        "Attempts are counted from 1 again and the last failure is forgotten.",
        "A waiting retry is scheduled at once.",
        _NO_EVENT,
        arguments=(
            _ACTIVITY,
            Argument("keep_paused", "Stay paused if it is", FieldKind.FLAG, default=True),
            Argument("reset_heartbeat", "Forget its checkpoint", FieldKind.FLAG, default=False),
        ),
        in_batch=False,
    ),
    _verb(
        "set_priority",
        "Change priority or fairness key",
        "Activities that are scheduled from now on have it; a pending one keeps its own.",
        "What is left empty becomes the default, not what it was.",
        arguments=(
            Argument(
                "priority_key",
                "Priority",
                FieldKind.NUMBER,
                least=1,
                most=5,
                help="1 goes first, 5 last; empty is 3.",
            ),
            Argument("fairness_key", "Fairness key", most=64, help="Usually the tenant."),
            Argument(
                "fairness_weight",
                "Weight",
                FieldKind.DECIMAL,
                least=0.001,
                most=1000,
                help="Only counts where the queue has no weight of its own for the key.",
            ),
        ),
    ),
)
