"""What every REST endpoint says of rights; who is let in where: tests.access."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from console.access.contracts import Permission
from console.access.models import Role
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


def _path(route: str) -> str:
    return re.sub(r"<slug:[^>]+>", "acme", re.sub(r"<int:[^>]+>", "1", route))


def test_there_are_endpoints_to_try() -> None:
    assert len(ENDPOINTS) > 40


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
def test_a_stranger_is_told_how_to_sign_in() -> None:
    response = Client().get("/api/v1/tenants/")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
def test_whoever_has_no_tenant_finds_empty_lists_where_members_find_their_own() -> None:
    lists = [
        route
        for route, view in ENDPOINTS.items()
        if "<" not in route
        and getattr(view, "required_permissions", {}).get("GET") == Permission.OWN
    ]
    assert "jobs/" in lists
    for route in lists:
        response = Rest(Role.NOBODY).send("GET", route)
        assert (response.status_code, response.json()["results"]) == (200, []), route


@pytest.mark.django_db
@pytest.mark.parametrize("route", sorted(set(ENDPOINTS) - DESCRIBING))
def test_what_is_not_declared_is_denied_to_admins_too(route: str) -> None:
    admin = Rest(Role.ADMIN)
    declared = ENDPOINTS[route].required_permissions  # type: ignore[attr-defined]  # see above
    for method in set(METHODS) - set(declared):
        assert admin.send(method, _path(route)).status_code in {403, 405}, method


@pytest.mark.django_db
@pytest.mark.parametrize("method", METHODS)
def test_an_address_that_is_none_is_a_problem_and_not_a_page(method: str) -> None:
    assert Client().generic(method, "/api/v1/tenants").status_code == 401
    response = Rest(Role.VIEWER).send(method, "tenants")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert "every address ends with a slash" in response.json()["detail"]
