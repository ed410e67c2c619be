"""Every page and endpoint refuses strangers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

# Pages that must open without a sign-in, each with its reason.
OPEN = {
    "access/sign-in/": "it is the sign-in",
    "access/sign-out/": "signing out twice is harmless",
}


def _walk(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for entry in patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, route)
        else:
            yield route


def _example(route: str) -> str:
    """A concrete path for a route: 1 for numbers, acme for words."""
    import re

    route = route.replace("^", "").replace("$", "").replace("\\.", ".").rstrip("/?")
    path = re.sub(r"<int:[^>]+>", "1", route)
    path = re.sub(r"<(slug:|str:|path:)?[^>]+>", "acme", path)
    path = re.sub(r"\(\?P<[^>]+>\[[^\]]*\]\+\)", "1", path)
    path = re.sub(r"\(\?P<format>[^)]*\)\??", "", path)
    return "/" + path + ("/" if not path.endswith("/") and "." not in path.split("/")[-1] else "")


ROUTES = sorted(set(_walk(get_resolver().url_patterns)))


def test_there_are_routes_to_try() -> None:
    assert len(ROUTES) > 40


@pytest.mark.django_db
@pytest.mark.parametrize("route", ROUTES)
def test_a_stranger_is_refused(route: str) -> None:
    if route.rstrip("$") in OPEN or route.startswith("static/"):
        pytest.skip(OPEN.get(route, "static files are public"))
    path = _example(route)
    for method in ("get", "post", "put", "patch", "delete"):
        response = getattr(Client(), method)(path)
        assert response.status_code in {301, 302, 401, 403, 404, 405}, (method, path)
        if response.status_code == 302:
            assert "/access/sign-in/" in response["Location"], (method, path)
        if response.status_code == 301:
            followed = Client().get(response["Location"])
            assert followed.status_code in {302, 401, 403, 404, 405}
