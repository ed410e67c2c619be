"""What actions ask of an engine: what is possible now, and doing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from observability.actions.contracts import (
    Answer,
    BatchProgress,
    Deed,
    Possible,
    QueryCount,
    RunFacts,
)
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
class QueryBatches(Protocol):
    """Controls of an engine that does one thing to all runs that a query of its own finds."""

    def count(self, *, target: TargetRef, query: str) -> QueryCount:
        """What the query finds now; nothing is done. Raises ExternalError."""
        ...

    def start(self, *, target: TargetRef, query: str, deed: Deed, rate: int) -> None:
        """Starts a batch called `deed.id` at `rate` operations a second. Raises ExternalError."""
        ...

    def progress(self, *, target: TargetRef, batch: str) -> BatchProgress:
        """How far it is. Raises NotFound when the engine knows no such batch."""
        ...

    def stop(self, *, target: TargetRef, batch: str, deed: Deed) -> None:
        """Stops it; what is done stays done. Raises ExternalError."""
        ...
