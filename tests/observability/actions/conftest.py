"""Who acts and on what, for the tests of actions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.access.models import Role, User
from console.audit.services import Actor
from observability.actions.services import batches, recovery
from observability.engines.contracts import Status
from observability.jobs.models import JobRun
from tests.observability.actions.fakes import FakeControls, controls
from tests.observability.jobs.factories import make_run, make_tenant


@pytest.fixture
def fake() -> Iterator[FakeControls]:
    """Temporal's controls, faked."""
    with controls() as made:
        yield made


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What is handed to the workers, instead of handing it over."""
    sent: list[tuple[object, ...]] = []

    def remember(name: str, *args: object, **_: object) -> bool:
        sent.append((name, *args))
        return True

    monkeypatch.setattr(batches, "enqueue", remember)
    monkeypatch.setattr(recovery, "enqueue", remember)
    return sent


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_user("olga", email="olga@example.org", role=Role.OPERATOR)


@pytest.fixture
def olga(operator: User) -> Actor:
    return Actor.person(operator)


@pytest.fixture
def run(db: None) -> JobRun:
    """A running run of acme."""
    return make_run(status=Status.RUNNING, tenant=make_tenant("acme"), external_id="invoice-7")
