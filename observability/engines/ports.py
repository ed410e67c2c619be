"""What is asked of an engine: what changed since a cursor, one run's events, what can be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from observability.engines.contracts import (
    ChangePage,
    Engine,
    History,
    KnownRun,
    RunRef,
)
from observability.engines.verbs import ActionRequest, Answer, Availability, RunFacts, RunFound
from tenants.contracts import PlacementRef, TargetRef


class KnownRuns(Protocol):
    """What a source may ask about the rows that we have of its target."""

    def open_runs(self) -> Iterator[RunRef]:
        """Every run of the target that has not ended as far as we know."""
        ...

    def due_runs(self, now: datetime) -> Iterator[RunRef]:
        """Every ended run of the target that should have removed itself before `now` and was not
        seen to be gone (`cleanup_at` before `now`, no `cleaned_at`)."""
        ...

    def revisions(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """The stored revision of runs, by external id and run id; what is unknown is left out."""
        ...

    def types(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """The stored type of runs, in the same way."""
        ...

    def details(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KnownRun]:
        """What the rows of runs say, by external id and run id; what is unknown is left out. For
        the few of which the engine no longer has it all: its rows are wide."""
        ...


class EngineSource(Protocol):
    """One engine. Both verbs talk to it and raise ExternalError when it cannot be used; neither
    keeps state of its own between calls that a restart would lose."""

    engine: Engine

    def changes(
        self,
        *,
        target: TargetRef,
        placements: Sequence[PlacementRef],
        cursor: Mapping[str, Any],
        known: KnownRuns,
        now: datetime,
        wait: float,
    ) -> Iterator[ChangePage]:
        """What changed since `cursor` (empty: from the beginning), in pages of bounded size.

        Ends when it has caught up and nothing new came for `wait` seconds (0: at once). A run may
        be given twice and out of order; one that ended while nobody looked is given too, as is one
        that vanished (status deleted, or its cleanup). Stopping to iterate releases everything.
        """
        ...

    def history(self, *, target: TargetRef, run: RunRef, after: int) -> History:
        """The events of one run with a `seq` above `after` (0: all of them) and its document.
        Raises NotFound when the engine no longer has it."""
        ...


@runtime_checkable
class KeptEvents(EngineSource, Protocol):
    """A source whose engine keeps events for its readers in something that has a name there. Both
    take the cursor of the target's stream."""

    def stand_by(self, *, target: TargetRef, cursor: Mapping[str, Any]) -> None:
        """Helps to keep them while another process reads. Raises ExternalError."""
        ...

    def forget(self, *, target: TargetRef, cursor: Mapping[str, Any]) -> None:
        """Has nothing kept any more: nobody reads the target from now on. Raises ExternalError."""
        ...


class Controls(Protocol):
    """One engine's controls."""

    engine: Engine

    def verbs(self, *, run: RunFacts, target: TargetRef) -> Sequence[Availability]:
        """Every verb of the engine with the reason where it is not possible now. Asks nobody."""
        ...

    def perform(self, *, run: RunFacts, target: TargetRef, request: ActionRequest) -> Answer:
        """Does it, and says what the engine answered. The same request twice is done once where the
        engine can tell. Raises ExternalError: Refused, NotFound or Conflict when the engine said
        no, others when it did not answer."""
        ...


@runtime_checkable
class Queries(Protocol):
    """Controls of an engine that can be asked for runs by a query of its own."""

    def find(self, *, target: TargetRef, query: str, most: int) -> Sequence[RunFound]:
        """What the query finds now, at most `most` of it. Raises ExternalError."""
        ...
