"""Every verb of every engine, in the order in which they are offered. Pure."""

from __future__ import annotations

from typing import Final

from observability.actions.contracts import Verb
from observability.actions.rules.celery import CELERY
from observability.actions.rules.clusters import ARGO, KUBERNETES
from observability.actions.rules.temporal import TEMPORAL
from observability.jobs.contracts import Engine

VERBS: Final[tuple[Verb, ...]] = (*TEMPORAL, *ARGO, *CELERY, *KUBERNETES)
_BY_NAME: Final = {(verb.engine, verb.name): verb for verb in VERBS}


def verbs_of(engine: str) -> tuple[Verb, ...]:
    """The verbs of one engine."""
    return tuple(verb for verb in VERBS if verb.engine == engine)


def find_verb(engine: str, name: str) -> Verb | None:
    """One verb; None when the engine has no such thing."""
    return _BY_NAME.get((Engine(engine), name))
