"""A database that is locked or away: a 503 that says when to ask again; nothing half-written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from pytest_django import DjangoDbBlocker

from console.access.models import ApiToken, IdempotencyKey, Role, User
from console.audit.models import Entry
from deploy.ports import any_free
from quotas.plans.models import Plan
from tests.faults.processes import connected, copied, migrate
from tests.postgres import postgres
from tests.rest import Rest

PASSWORD = "a long password 1"
PLAN = {"slug": "small", "name": "Small", "limits": {"pods": 1}, "reason": "a test"}


@pytest.fixture
def on_sqlite(template: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    """This process uses a database file of its own, and hardly waits for a lock."""
    with connected(copied(template, tmp_path), django_db_blocker):
        # clock: a lock that is held all through the test need not be waited for
        options = {**connections.settings["default"]["OPTIONS"], "timeout": 0.05}
        connections.settings["default"]["OPTIONS"] = options
        yield tmp_path / "headroom.sqlite3"


@pytest.fixture
def on_postgres(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The same on PostgreSQL."""
    with postgres() as server:
        migrate(server.url)
        with connected(f"{server.url}?options=-c%20lock_timeout=50ms", django_db_blocker):
            yield


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else is in the midst of writing."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


@contextmanager
def locked_tables() -> Iterator[None]:
    """The same on PostgreSQL: somebody holds every table that is written here."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        tables = "access_idempotencykey, plans_plan, django_session, audit_entry, access_user"
        cursor.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
    other.close()


def rows() -> tuple[int, ...]:
    """How many there are of what a request here could have written."""
    return tuple(model.objects.count() for model in (Plan, Entry, IdempotencyKey, User))


def assert_busy(answer: Any) -> None:
    """A 503 that says when to ask again: a problem or a page."""
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    if answer["Content-Type"] == "application/problem+json":
        assert answer.json()["code"] == "unavailable"
        assert answer.json()["request_id"] == answer["X-Request-ID"]
    else:
        assert "The database is busy or away" in answer.content.decode()


def writes_while(is_locked: Any) -> None:
    """Writes over REST, on a page and a sign-in, of which none is done while it is locked; then
    they are."""
    admin = Rest("admin")
    User.objects.create_user("ana", password=PASSWORD)
    page = Client(raise_request_exception=False)
    page.force_login(admin.user)
    stranger = Client(raise_request_exception=False)
    admin.client.raise_request_exception = False
    sign_in = {"username": "ana", "password": PASSWORD}
    before = rows()
    with is_locked:
        assert_busy(admin.post("plans/", PLAN, Idempotency_Key="k"))
        assert_busy(admin.post("plans/", PLAN))
        assert_busy(page.post("/access/account/", {"name": "x", "scope": "read", "days": 30}))
        assert_busy(stranger.post("/access/sign-in/", sign_in))
        assert_busy(stranger.post("/access/sign-in/", {**sign_in, "password": "wrong"}))
        assert admin.get("plans/").status_code == 200
        assert page.get("/plans/").status_code == 200
    assert rows() == before
    assert "sessionid" not in stranger.cookies
    assert admin.post("plans/", PLAN, Idempotency_Key="k").status_code == 201
    assert stranger.post("/access/sign-in/", sign_in).status_code == 302


def test_a_locked_sqlite_is_a_503_and_reads_go_on(on_sqlite: Path) -> None:
    writes_while(locked(on_sqlite))


def test_a_locked_postgresql_is_a_503_and_reads_go_on(on_postgres: None) -> None:
    writes_while(locked_tables())


def test_a_token_that_was_not_used_for_long_reads_while_nothing_can_be_written(
    on_sqlite: Path,
) -> None:
    viewer = Rest("viewer")
    with locked(on_sqlite):
        assert viewer.get("plans/").status_code == 200
    assert ApiToken.objects.get(user=viewer.user).last_used_at is None
    assert viewer.get("plans/").status_code == 200
    assert ApiToken.objects.get(user=viewer.user).last_used_at is not None


def test_a_database_that_cannot_be_reached_is_a_503_everywhere(
    django_db_blocker: DjangoDbBlocker,
) -> None:
    client = Client(raise_request_exception=False, headers={"Authorization": "Bearer hr_x"})
    client.cookies["sessionid"] = "a" * 32
    with connected(f"postgres://nobody@127.0.0.1:{any_free()}/gone", django_db_blocker):
        for path in ("/", "/tenants/", "/access/account/", "/api/v1/tenants/", "/nope/"):
            assert_busy(client.get(path))
        sign_in = {"username": "ana", "password": PASSWORD}
        assert_busy(client.post("/access/sign-in/", sign_in))
        assert client.get("/healthz").status_code == 200


def test_what_repeating_does_not_mend_stays_a_fault_of_ours(on_sqlite: Path) -> None:
    viewer = Rest("viewer")
    viewer.client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE plans_lease")
    answer = viewer.get("leases/")
    assert (answer.status_code, answer.json()["code"]) == (500, "server_fault")
    assert Role.VIEWER in viewer.user.role
