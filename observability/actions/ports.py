"""What actions ask of an engine: what is possible now, and doing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from observability.actions.contracts import Answer, Deed, Possible, RunFacts, RunFound
from observability.jobs.contracts import Engine
from tenants.contracts import TargetRef


class Controls(Protocol):
    """One engine's controls."""

    engine: Engine

    def verbs(self, *, run: RunFacts, target: TargetRef) -> Sequence[Possible]:
        """Every verb of the engine with the reason where it is not possible now. Asks nobody."""
        ...

    def perform(self, *, run: RunFacts, target: TargetRef, deed: Deed) -> Answer:
        """Does it, and says what the engine answered. Doing the same deed twice does it once where
        the engine can tell. Raises ExternalError: Refused, NotFound or Conflict when the engine
        said no, others when it did not answer."""
        ...


@runtime_checkable
class Queries(Protocol):
    """Controls of an engine that can be asked for runs by a query of its own."""

    def find(self, *, target: TargetRef, query: str, most: int) -> Sequence[RunFound]:
        """What the query finds now, at most `most` of it. Raises ExternalError."""
        ...
