"""Every REST endpoint refuses outsiders. The router is walked: a new one cannot be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from console.access.contracts import Permission
from console.access.models import GRANTS, Role
from console.audit.models import Entry, Outcome
from quotas.changes.api.endpoints import ChangeEndpoint
from quotas.changes.kinds.registry import permission_for
from tests.rest import Rest

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# For everybody who has signed in, whatever the role: it describes, it shows nothing.
DESCRIBING = {"schema/"}


def _walk(entries: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, type]]:
    for entry in entries:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, route)
        elif route.startswith("api/v1/"):
            yield route.removeprefix("api/v1/"), entry.callback.view_class  # type: ignore[attr-defined]  # class-based, all of them


ENDPOINTS = dict(_walk(get_resolver().url_patterns))
DECLARED = [
    (route, method)
    for route, view in sorted(ENDPOINTS.items())
    for method in METHODS
    if method in getattr(view, "required_permissions", {})
]


def _path(route: str) -> str:
    return re.sub(r"<slug:[^>]+>", "acme", re.sub(r"<int:[^>]+>", "1", route))


def test_there_are_endpoints_to_try() -> None:
    assert len(ENDPOINTS) > 40
    assert len(DECLARED) > 50


def test_every_endpoint_says_what_it_needs() -> None:
    silent = [
        route
        for route, view in ENDPOINTS.items()
        if route not in DESCRIBING and not getattr(view, "required_permissions", None)
    ]
    assert silent == []


def test_what_an_endpoint_needs_is_what_its_change_needs() -> None:
    orders = {view for view in ENDPOINTS.values() if issubclass(view, ChangeEndpoint)}
    assert len(orders) > 12
    for view in orders:
        needed = view.required_permissions["POST"]  # type: ignore[attr-defined]  # checked above
        assert needed == permission_for(view.change.__name__), view


@pytest.mark.django_db
def test_a_stranger_is_asked_to_sign_in() -> None:
    for route in sorted(ENDPOINTS):
        for method in METHODS:
            response = Client().generic(method, f"/api/v1/{_path(route)}")
            assert response.status_code == 401, (method, route)
            assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
def test_somebody_without_a_console_role_gets_nothing() -> None:
    """Where members read what is their tenants' own, whoever has no tenant finds nothing."""
    nobody = Rest(Role.NOBODY)
    for route in sorted(set(ENDPOINTS) - DESCRIBING):
        needed = ENDPOINTS[route].required_permissions  # type: ignore[attr-defined]  # declared
        for method in METHODS:
            response = nobody.send(method, _path(route))
            if method not in needed:
                assert response.status_code == 405, (method, route)
            elif needed[method] != Permission.OWN:
                assert response.status_code == 403, (method, route)
            elif "<" in route:
                assert response.status_code == 404, (method, route)
            else:
                rows = response.json()["results"]
                assert (response.status_code, rows) == (200, []), (method, route)


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ADMIN])
def test_too_small_a_role_is_refused_and_enough_is_let_in(role: Role) -> None:
    person = Rest(role)
    for route, method in DECLARED:
        needed: Permission = ENDPOINTS[route].required_permissions[method]  # type: ignore[attr-defined]  # declared
        before = Entry.objects.filter(outcome=Outcome.REFUSED).count()
        response = person.send(method, _path(route), {} if method != "GET" else None)
        refused = Entry.objects.filter(outcome=Outcome.REFUSED).count() - before
        if needed in GRANTS[role]:
            assert response.status_code not in {401, 403}, (method, route, response.content)
            assert response.status_code < 500, (method, route, response.content)
        else:
            assert response.status_code == 403, (method, route)
            assert refused == (method != "GET"), (method, route)


@pytest.mark.django_db
def test_what_is_not_declared_is_denied_to_admins_too() -> None:
    admin = Rest(Role.ADMIN)
    for route in sorted(set(ENDPOINTS) - DESCRIBING):
        declared = ENDPOINTS[route].required_permissions  # type: ignore[attr-defined]  # see above
        for method in set(METHODS) - set(declared):
            assert admin.send(method, _path(route)).status_code == 405, (method, route)


@pytest.mark.django_db
@pytest.mark.parametrize("method", METHODS)
def test_an_address_that_is_none_is_a_problem_and_not_a_page(method: str) -> None:
    assert Client().generic(method, "/api/v1/tenants").status_code == 401
    response = Rest(Role.VIEWER).send(method, "tenants")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert "every address ends with a slash" in response.json()["detail"]
