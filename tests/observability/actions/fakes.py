"""Controls that do what a test says, and look into the database while they are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from django.db import connection

from console.audit.models import Entry
from observability.engines import registry
from observability.engines.catalogue import verbs_of
from observability.engines.contracts import Engine
from observability.engines.verbs import (
    ActionRequest,
    Answer,
    Availability,
    RunFacts,
    RunFound,
    by_status,
)
from tenants.contracts import TargetRef


@dataclass
class FakeControls:
    """Says yes, and remembers what it was asked and what the ledger said then."""

    engine: Engine = Engine.TEMPORAL
    requests: list[ActionRequest] = field(default_factory=list)
    runs: list[RunFacts] = field(default_factory=list)
    ledger: list[list[tuple[str, str]]] = field(default_factory=list)
    in_transaction: list[bool] = field(default_factory=list)
    meanwhile: Callable[[RunFacts, ActionRequest], Answer | None] | None = None
    query_runs: list[RunFound] = field(default_factory=list)
    failure: Exception | None = None

    def verbs(self, *, run: RunFacts, target: TargetRef) -> Sequence[Availability]:
        return by_status(verbs_of(run.engine), run, target.options)

    def perform(self, *, run: RunFacts, target: TargetRef, request: ActionRequest) -> Answer:
        self.requests.append(request)
        self.runs.append(run)
        self.in_transaction.append(len(connection.savepoint_ids) > 0)
        self.ledger.append(list(Entry.objects.order_by("id").values_list("action", "message")))
        if self.failure is not None:
            raise self.failure
        answer = self.meanwhile(run, request) if self.meanwhile else None
        return answer or Answer("The engine did it.", {"n": len(self.requests)})

    def find(self, *, target: TargetRef, query: str, most: int) -> Sequence[RunFound]:
        if self.failure is not None:
            raise self.failure
        return self.query_runs[:most]


@contextmanager
def controls(engine: Engine = Engine.TEMPORAL) -> Iterator[FakeControls]:
    """These controls in the place of an engine's real ones."""
    fake = FakeControls(engine)
    with pytest.MonkeyPatch.context() as patch:
        adapter = replace(registry.adapter_for(engine), controls=fake)
        patch.setitem(registry._ADAPTERS, engine.value, adapter)
        yield fake
