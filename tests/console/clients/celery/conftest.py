"""A broker of these tests' own, and a stream that is read there."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from console.clients import pool
from console.clients.celery import keeping
from console.clients.celery.kept_events import PREFIX
from tests.console.clients.celery.stream_reader import Reader
from tests.servers import ValkeyServer
from tests.servers import valkey as own_valkey


@pytest.fixture(scope="module")
def broker() -> Iterator[ValkeyServer]:
    """A Valkey that these tests may stop."""
    with own_valkey() as server:
        yield server
        pool.close_all()


@pytest.fixture
def url(broker: ValkeyServer) -> str:
    """Of its second database."""
    return broker.url.removesuffix("/0") + "/1"


@pytest.fixture
def queue() -> Iterator[str]:
    """What is kept under a name of the test's own."""
    name = f"{PREFIX}{uuid4().hex}"
    yield name
    keeping.drop(name)


@pytest.fixture
def reader(url: str, queue: str) -> Reader:
    """One that has begun."""
    begun = Reader(url, queue)
    begun.read()
    return begun
