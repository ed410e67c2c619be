"""What can be done to an Argo Workflow. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.contracts import OPEN, Engine, Status
from observability.engines.verbs import Argument, Verb

_RESUMABLE: Final = frozenset({Status.PAUSED})
_RUNS: Final = frozenset({Status.WAITING, Status.RUNNING})
_ENDED: Final = frozenset(Status) - OPEN - {Status.DELETED}
_ENDED_BADLY: Final = _ENDED - {Status.SUCCEEDED, Status.CONTINUED}
_BY_SERVER: Final[dict[str, object]] = {
    "needs": "argo_server",
    "needs_why": "Only the Argo server does this",
}


def _verb(name: str, label: str, *effect: str, **more: object) -> Verb:
    return Verb(Engine.ARGO, name, label, effect, **{"statuses": OPEN, **more})  # type: ignore[arg-type]  # the rest of Verb


VERBS: Final[tuple[Verb, ...]] = (
    _verb(
        "stop",
        "Stop",
        "No new step starts and running pods are ended; its exit handlers still run.",
    ),
    _verb(
        "terminate",
        "Terminate",
        "Running pods are ended at once and exit handlers do not run.",
        destructive=True,
    ),
    _verb(
        "suspend",
        "Suspend",
        "No new step starts; pods that run go on to their end.",
        statuses=_RUNS,
    ),
    _verb(
        "resume",
        "Resume",
        "Steps start again where the whole workflow was suspended.",
        "A suspend step inside it goes on waiting: resume that step.",
        statuses=_RESUMABLE,
    ),
    _verb(
        "resume_node",
        "Resume a step",
        "The suspend step counts as succeeded and what follows it starts.",
        "The Argo server does it: Argo's own labels will name its account, our ledger names you.",
        arguments=(
            Argument(
                "node",
                "Step",
                required=True,
                most=500,
                help="Selects it, such as displayName=approve or id=NODE-ID.",
            ),
        ),
        in_batch=False,
        **_BY_SERVER,
    ),
    _verb(
        "retry",
        "Retry",
        "Failed steps and all that follows them are done again under the same name.",
        "Argo overwrites the run's history; this trail keeps what was there before.",
        statuses=_ENDED_BADLY,
        **_BY_SERVER,
    ),
    _verb(
        "resubmit",
        "Resubmit",
        "A new workflow with the same specification starts from the beginning.",
        statuses=_ENDED,
    ),
    _verb(
        "resubmit_memoized",
        "Resubmit what failed",
        "A new workflow starts; steps that succeeded are taken over instead of done again.",
        statuses=_ENDED_BADLY,
        **_BY_SERVER,
    ),
)
