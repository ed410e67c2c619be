"""Every verb of every engine, in the order in which they are offered. Pure."""

from __future__ import annotations

from typing import Final

from observability.engines.argo import verbs as argo
from observability.engines.celery import verbs as celery
from observability.engines.contracts import Engine
from observability.engines.kubernetes import verbs as kubernetes
from observability.engines.temporal import verbs as temporal
from observability.engines.verbs import Verb

VERBS: Final[tuple[Verb, ...]] = (
    *temporal.VERBS,
    *argo.VERBS,
    *celery.VERBS,
    *kubernetes.VERBS,
)
_BY_NAME: Final = {(verb.engine, verb.name): verb for verb in VERBS}


def verbs_of(engine: str) -> tuple[Verb, ...]:
    """The verbs of one engine."""
    return tuple(verb for verb in VERBS if verb.engine == engine)


def find_verb(engine: str, name: str) -> Verb | None:
    """One verb; None when the engine has no such thing."""
    return _BY_NAME.get((Engine(engine), name))
