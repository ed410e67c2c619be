"""What can be done to an Argo Workflow and to a Kubernetes Job. Pure."""

from __future__ import annotations

from typing import Final

from observability.actions.contracts import Argument, Verb
from observability.jobs.contracts import OPEN, Engine, Status

_RESUMABLE: Final = frozenset({Status.PAUSED})
_RUNS: Final = frozenset({Status.WAITING, Status.RUNNING})
_ENDED: Final = frozenset(Status) - OPEN - {Status.DELETED}
_ENDED_BADLY: Final = _ENDED - {Status.SUCCEEDED, Status.CONTINUED}
_SERVER: Final = "argo_server"


def _argo(name: str, label: str, *effect: str, **more: object) -> Verb:
    return Verb(Engine.ARGO, name, label, effect, **{"statuses": OPEN, **more})  # type: ignore[arg-type]  # the rest of Verb


def _job(name: str, label: str, *effect: str, **more: object) -> Verb:
    return Verb(Engine.KUBERNETES, name, label, effect, **{"statuses": OPEN, **more})  # type: ignore[arg-type]  # the rest of Verb


ARGO: Final = (
    _argo(
        "stop",
        "Stop",
        "No new step starts and running pods are ended; its exit handlers still run.",
    ),
    _argo(
        "terminate",
        "Terminate",
        "Running pods are ended at once and exit handlers do not run.",
        destructive=True,
    ),
    _argo(
        "suspend",
        "Suspend",
        "No new step starts; pods that run go on to their end.",
        statuses=_RUNS,
    ),
    _argo(
        "resume",
        "Resume",
        "Steps start again where the whole workflow was suspended.",
        "A suspend step inside it goes on waiting: resume that step.",
        statuses=_RESUMABLE,
    ),
    _argo(
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
        needs=_SERVER,
        in_batch=False,
    ),
    _argo(
        "retry",
        "Retry",
        "Failed steps and all that follows them are done again under the same name.",
        "Argo overwrites the run's history; this trail keeps what was there before.",
        statuses=_ENDED_BADLY,
        needs=_SERVER,
    ),
    _argo(
        "resubmit",
        "Resubmit",
        "A new workflow with the same specification starts from the beginning.",
        statuses=_ENDED,
    ),
    _argo(
        "resubmit_memoized",
        "Resubmit what failed",
        "A new workflow starts; steps that succeeded are taken over instead of done again.",
        statuses=_ENDED_BADLY,
        needs=_SERVER,
    ),
)

KUBERNETES: Final = (
    _job(
        "suspend",
        "Suspend",
        "Its running pods are deleted and no new ones start. What they had done is lost unless "
        "they kept it themselves.",
        statuses=_RUNS,
    ),
    _job(
        "resume",
        "Resume",
        "Pods start again; the Job's deadline counts from now.",
        statuses=_RESUMABLE,
    ),
    _job(
        "delete",
        "Delete",
        "The Job and its pods are deleted, with their logs. The trail here stays.",
        "Only this very Job: one of the same name made since is left alone.",
        statuses=frozenset(Status) - {Status.DELETED},
        destructive=True,
    ),
)
