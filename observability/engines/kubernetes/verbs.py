"""What can be done to a Kubernetes Job. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.contracts import OPEN, Engine, Status
from observability.engines.verbs import Verb

_RESUMABLE: Final = frozenset({Status.PAUSED})
_RUNS: Final = frozenset({Status.WAITING, Status.RUNNING})


def _verb(name: str, label: str, *effect: str, **more: object) -> Verb:
    return Verb(Engine.KUBERNETES, name, label, effect, **{"statuses": OPEN, **more})  # type: ignore[arg-type]  # the rest of Verb


VERBS: Final[tuple[Verb, ...]] = (
    _verb(
        "suspend",
        "Suspend",
        "Its running pods are deleted and no new ones start. What they had done is lost unless "
        "they kept it themselves.",
        statuses=_RUNS,
    ),
    _verb(
        "resume",
        "Resume",
        "Pods start again; the Job's deadline counts from now.",
        statuses=_RESUMABLE,
    ),
    _verb(
        "delete",
        "Delete",
        "The Job and its pods are deleted, with their logs. The trail here stays.",
        "Only this very Job: one of the same name made since is left alone.",
        statuses=frozenset(Status) - {Status.DELETED},
        destructive=True,
    ),
)
