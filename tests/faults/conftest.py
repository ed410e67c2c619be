"""Houses of a test's own, on SQLite or PostgreSQL, and clusters that may be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from console.clients import pool
from deploy.demo.parts.programs import kube_binaries
from tests import servers
from tests.faults.installation import Installation
from tests.faults.processes import (
    connected,
    copied,
    migrate,
    sending_to,
)
from tests.postgres import postgres
from tests.servers import NO_CLUSTER

Build = Callable[[str], Installation]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file: copied, never used."""
    servers.skip_if_forbidden()  # as every installation has a broker
    path = tmp_path_factory.mktemp("template") / "headroom.sqlite3"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def build(template: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Build]:
    """Makes an installation on "sqlite" or "postgresql"; whatever it started is stopped."""
    with ExitStack() as stack:

        def installation(vendor: str) -> Installation:
            if vendor == "postgresql":
                url = stack.enter_context(postgres()).url
                migrate(url)
            else:
                url = copied(template, tmp_path)
            broker = stack.enter_context(servers.valkey())
            stack.callback(pool.close_all)
            stack.enter_context(connected(url, django_db_blocker))
            stack.enter_context(sending_to(broker.url))
            # Entered last, so stopped first: the processes before what they use.
            return Installation(tmp_path, url, broker, stack.enter_context(ExitStack()))

        yield installation


@pytest.fixture
def installation(build: Build) -> Installation:
    """On SQLite."""
    return build("sqlite")


@pytest.fixture(scope="session")
def stoppable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.KubeControlPlane]:
    """A control plane of this worker's own, which tests may stop: use `plane`."""
    if kube_binaries() is None:
        pytest.skip(NO_CLUSTER)
    with servers.kube_control_plane() as running:
        yield running


@pytest.fixture
def plane(stoppable: servers.KubeControlPlane) -> Iterator[servers.KubeControlPlane]:
    """A control plane that may be stopped and paused; it runs again afterwards."""
    yield stoppable
    stoppable.apiserver.resume()
    stoppable.apiserver.start()
