"""Bundles on disk, and a recorded history, for the tests of replays."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.access.models import Role, User
from console.audit.services import Actor
from observability.jobs.models import JobRun
from observability.replays.models import WorkflowBundle
from observability.replays.services import bundles
from tests.console.clients.temporal.replay.test_runner import BUNDLES, record_invoice
from tests.servers import temporal_server

Shelf = Callable[..., None]


@pytest.fixture(scope="session")
def invoice_history() -> Iterator[bytes]:
    """The history of an Invoice that build 1 has run."""
    with temporal_server() as server:
        yield asyncio.run(record_invoice(server.address))


@pytest.fixture
def shelf(tmp_path: Path, settings: pytest.FixtureRequest) -> Shelf:
    """Puts a module of the test bundles where the server looks: `shelf("flows", "1", "invoice_v1",
    wheel=True)`."""
    settings.REPLAY_BUNDLES = str(tmp_path)  # type: ignore[attr-defined]  # pytest-django's settings
    settings.REPLAY_SECONDS = 120  # type: ignore[attr-defined]  # as above; a busy machine is slow

    def put(name: str, version: str, module: str, *, wheel: bool = False) -> None:
        home = tmp_path / name / version
        home.mkdir(parents=True)
        code = (Path(BUNDLES) / f"{module}.py").read_text()
        if wheel:
            with zipfile.ZipFile(home / f"{name}-{version}-py3-none-any.whl", "w") as archive:
                archive.writestr("acme_flows/__init__.py", "")
                archive.writestr("acme_flows/invoice.py", code)
        else:
            (home / "flows.py").write_text(code)

    return put


@pytest.fixture
def admin() -> Actor:
    """An admin."""
    return Actor.person(User.objects.create_user("root", role=Role.ADMIN))


@pytest.fixture
def registered(shelf: Shelf, admin: Actor) -> Callable[[str], WorkflowBundle]:
    """Registers a module of the test bundles as flows@MODULE."""

    def register(module: str) -> WorkflowBundle:
        shelf("flows", module, module)
        return bundles.register(
            name="flows", version=module, modules=["flows"], actor=admin, reason="for a test"
        )

    return register


@pytest.fixture
def histories(
    monkeypatch: pytest.MonkeyPatch, invoice_history: bytes
) -> dict[int, bytes | Exception]:
    """What the archive says by run id; an exception is raised. Unknown runs have the invoice."""
    known: dict[int, bytes | Exception] = {}

    def answer(run: JobRun) -> bytes:
        content = known.get(run.pk, invoice_history)
        if isinstance(content, Exception):
            raise content
        return content

    monkeypatch.setattr("observability.replays.services.execution.temporal_history", answer)
    return known
