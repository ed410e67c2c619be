"""No request is answered with a fault of ours, whatever is in its address, its form, its body or
its headers. An admin asks: others get no further than an admin does."""

from __future__ import annotations

import html
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver

from console.access.contracts import Permission
from console.incoming import WSGI
from console.rest.schema_view import document
from tests.access import odd_values as odd
from tests.access.test_matrix import addresses, built, endpoints_of_routes, page_routes
from tests.access.world import FOREIGN, OWN, SESSION, World
from tests.fuzzing import fuzz_examples

__all__ = ["built"]  # a fixture

pytestmark = [pytest.mark.fuzz, pytest.mark.django_db]
SEED = 4242
FORM = "application/x-www-form-urlencoded"
NOT_MEANT = {"access:sign_out", "access:password"}
"""Pages that end the session of who tries them."""
PARAMETERS = """
    q cursor page page_size ids newest seen since until status tenant target type queue place worker
    id failure took kind state actor action outcome object_type object_id text archived plan key
    proposal show engine verb where verdict step attempt lane at next version from to reason format
    updated_since enabled condition location sort query last
"""
HEADERS = """
    Accept Accept-Language Authorization Content-Type Cookie Forwarded HX-Boosted HX-Current-URL
    HX-Request HX-Target HX-Trigger HX-History-Restore-Request HX-Current-URL-URI-AutoEncoded
    Idempotency-Key If-Match If-None-Match Origin Referer X-CSRFToken X-Forwarded-For
    X-Forwarded-Proto X-HTTP-Method-Override X-Request-ID
"""


ANY = PARAMETERS.split()
BLANKS = re.compile(rf"(?<=/)(\d+|{OWN}|{FOREIGN}|lab|standard)(?=/)")


class Trial:
    """Requests of one person, each undone; what went wrong, in words."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.wrong: list[str] = []
        self.tried = 0

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer, whose rows and cookies are put back."""
        cookies = copy(self.client.cookies)
        self.tried += 1
        with transaction.atomic():
            response = self.client.generic(method, path, body, content_type, headers=headers)
            transaction.set_rollback(True)
        self.client.cookies = cookies
        self._look(
            response, f"{method} {path[:300]} {body[:600]!r} {content_type} {headers!r:.300}"
        )
        return response

    def _look(self, response: Any, request: str) -> None:
        status, kind = response.status_code, response.get("Content-Type", "")
        if status == 500 or status > 503:
            self.wrong.append(f"{status}: {request}")
        is_rest = request.split()[1].startswith("/api/")
        if is_rest and status >= 400 and kind != "application/problem+json":
            self.wrong.append(f"{status} as {kind}: {request}")

    def each(self, number: int, act: Callable[[random.Random], object]) -> None:
        """Acts so often, each time with chances of its own: one that fails can be had again."""
        for index in range(number):
            before = len(self.wrong)
            act(random.Random(f"{SEED}-{index}"))
            if len(self.wrong) > before:
                self.wrong[-1] += f" (number {index})"
        assert not self.wrong, f"{len(self.wrong)} of {self.tried}:\n" + "\n".join(self.wrong[:10])


@pytest.fixture
def trial(
    built: World,
    record_property: Callable[[str, object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Trial]:
    """An admin with a session, whose requests are made as our applications make them."""
    monkeypatch.setattr("django.test.client.WSGIRequest", WSGI.request_class)
    tried = Trial(built.clients["admin", SESSION])
    yield tried
    record_property("tried", f"{tried.tried} requests, {len(tried.wrong)} wrong")


def pages(built: World) -> list[str]:
    """Every page with the parameters of what there is."""
    routes = page_routes().items()
    return [
        f"/{path}"
        for name, route in routes
        if name not in NOT_MEANT
        for path, _ in addresses(built, route)
    ]


def operations(built: World) -> list[tuple[str, str, Permission]]:
    """(method, path, permission) of every operation of REST."""
    listed = []
    for name, view in endpoints_of_routes(get_resolver().url_patterns):
        method, _, route = name.partition(":")
        needed = view.cls.required_permissions[method]
        if "^" in route or "metrics" in route:
            continue
        listed += [(method, f"/api/v1/{path}", needed) for path, _ in addresses(built, route)]
    return listed


def query_of(rng: random.Random, known: Sequence[str] = ()) -> str:
    """A query of some parameters; mostly of those that are known there."""
    names = [
        rng.choice(known or ANY) if rng.random() < 0.9 else rng.choice(ANY)
        for _ in range(rng.choice([1, 1, 2, 3]))
    ]
    return "&".join(f"{name}={odd.parameter(rng)}" for name in names)


def parameters_of_pages(trial: Trial, paths: list[str]) -> dict[str, list[str]]:
    """The parameters that each page has in its forms and links."""
    known = {}
    for path in paths:
        text = trial.send("GET", path).content.decode()
        names = {*re.findall(r'\bname="([a-z_]+)"', text), *re.findall(r"[?&;]([a-z_]+)=", text)}
        known[path] = sorted(names | {"cursor", "page"})
    return known


def parameters_of_rest() -> dict[str, list[str]]:
    """The parameters of each list, by its route with blanks."""
    return {
        re.sub(r"{[^}]+}", "_", path): [
            parameter["name"]
            for parameter in methods["get"].get("parameters", ())
            if parameter["in"] == "query"
        ]
        for path, methods in document()["paths"].items()
        if "get" in methods
    }


def path_with_odds(path: str, rng: random.Random) -> str:
    """At times another value in place of one that stands in the path."""
    if rng.random() < 0.8:
        return path
    words = re.split(r"(?<=/)(?=\d+/|acme/|globex/|lab/|standard/)", path)
    if len(words) < 2:
        return path
    end = words[-1].partition("/")[2]
    return "".join(words[:-1]) + quote(rng.choice(odd.TEXTS)[:300], safe="") + "/" + end


def test_addresses_of_pages(trial: Trial, built: World) -> None:
    paths = pages(built)
    known = parameters_of_pages(trial, paths)

    def ask(rng: random.Random) -> None:
        page = rng.choice(paths)
        path = path_with_odds(page, rng)
        headers = {"HX-Request": "true"} if rng.random() < 0.3 else {}
        method = rng.choice(["GET", "GET", "GET", "HEAD"])
        trial.send(method, f"{path}?{query_of(rng, known[page])}", headers=headers)

    trial.each(fuzz_examples(default=150, large=10_000), ask)


def test_forms(trial: Trial, built: World) -> None:
    forms = {path: fields for path in pages(built) if (fields := fields_of(trial, path))}
    assert len(forms) > 20
    assert sum(len(field.choices) > 1 for fields in forms.values() for field in fields) > 20
    paths = sorted(forms)

    def post(rng: random.Random) -> None:
        path = rng.choice(paths)
        fields = forms[path] + ([FormField("x", ("",))] if rng.random() < 0.1 else [])
        if rng.random() < 0.2:
            fields = [field for field in fields if rng.random() < 0.8]
        changed = (
            {rng.randrange(len(fields)) for _ in range(rng.choice([1, 1, 2, 4]))}
            if fields
            else set()
        )
        values = [
            odd.parameter(rng) if index in changed else quote(field.any(rng))
            for index, field in enumerate(fields)
        ]
        names = [quote(field.name) for field in fields]
        body = "&".join(map("=".join, zip(names, values, strict=True)))
        trial.send("POST", path, body.encode(), FORM)

    trial.each(fuzz_examples(default=150, large=10_000), post)


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form, with what it may be as far as the page offers it."""

    name: str
    choices: tuple[str, ...]

    def any(self, rng: random.Random) -> str:
        """The first of its values mostly, which the page has chosen; now and then another one."""
        return rng.choice(self.choices) if rng.random() < 0.4 else self.choices[0]


def fields_of(trial: Trial, path: str) -> list[FormField]:
    """The fields of all forms of a page. What has no value of its own gets a reason."""
    page = trial.send("GET", path)
    if page.status_code != 200 or b"<form" not in page.content:
        return []
    text = page.content.decode()
    offered: dict[str, list[str]] = {}
    for select, options in re.findall(
        r'<select\b[^>]*\bname="([^"]*)"[^>]*>(.*?)</select>', text, re.S
    ):
        values = [html.unescape(value) for value in re.findall(r'<option value="([^"]*)"', options)]
        offered.setdefault(select, []).extend(sorted(values, key=lambda value: not value))
    for tag in re.findall(r"<(?:input|textarea)\b[^>]*>", text):
        name = re.search(r'\bname="([^"]*)"', tag)
        value = re.search(r'\bvalue="([^"]*)"', tag)
        if name and name[1] != "csrfmiddlewaretoken":
            offered.setdefault(name[1], []).append(html.unescape(value[1]) if value else "because")
    return [FormField(name, tuple(values) or ("",)) for name, values in offered.items()]


def test_queries_of_rest(trial: Trial, built: World) -> None:
    paths = [path for method, path, _ in operations(built) if method == "GET"]
    known = parameters_of_rest()

    def ask(rng: random.Random) -> None:
        address = rng.choice(paths)
        path = path_with_odds(address, rng)
        query = query_of(rng, known.get(BLANKS.sub("_", address), ()))
        trial.send(rng.choice(["GET", "GET", "GET", "HEAD", "OPTIONS"]), f"{path}?{query}")

    trial.each(fuzz_examples(default=150, large=10_000), ask)


def test_bodies_of_rest(trial: Trial, built: World) -> None:
    parts = document()["components"]["schemas"]
    shapes = {}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            name = f"{method.upper()}:{re.sub(r'{[^}]+}', '_', path)}"
            shapes[name] = content.get("application/json", {}).get("schema", {"type": "object"})
    writes = [(method, path) for method, path, _ in operations(built) if method != "GET"]

    def write(rng: random.Random) -> None:
        method, path = rng.choice(writes)
        shape = shapes.get(f"{method}:{BLANKS.sub('_', path)}", {"type": "object"})
        body = odd.mutated(odd.meant(shape, parts, rng), rng)
        raw = json.dumps(body, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        if rng.random() < 0.05:
            raw = raw[: rng.randrange(len(raw) + 1)] + rng.choice(odd.BYTES)
        tag = trial.client.get(path).get("ETag", "*") if method in ("PATCH", "DELETE") else "*"
        headers = {"If-Match": tag}
        if method == "POST" and rng.random() < 0.1:
            headers["Idempotency-Key"] = rng.choice(odd.TEXTS).encode().decode("latin-1")
        query = f"?{query_of(rng)}" if rng.random() < 0.2 else ""
        trial.send(method, path + query, raw, "application/json", headers)

    trial.each(fuzz_examples(default=150, large=10_000), write)


def test_headers_and_kinds_of_bodies(trial: Trial, built: World) -> None:
    paths = [*pages(built), *(path for _, path, _ in operations(built))]
    kinds = [
        "", "text/plain", "application/json", "application/json; charset=utf-16", FORM, ";",
        "multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary=" +
        "x" * 300, f"{FORM}; charset=hex", "a; b*=foo'en'x", "application/problem+json",
    ]  # fmt: skip
    bodies = [b"", b"{}", b"[]", b"a=b", b"--x\r\n\r\n--x--", b"\0", *odd.BYTES]

    def ask(rng: random.Random) -> None:
        method = rng.choice(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"])
        headers = {
            name: rng.choice(odd.TEXTS)[:2_000].encode().decode("latin-1")
            for name in rng.sample(HEADERS.split(), rng.choice([1, 2, 4]))
        }
        headers = {name: re.sub(r"[\0\r\n]", "", value) for name, value in headers.items()}
        kind = headers.pop("Content-Type", None) or rng.choice(kinds)
        trial.send(method, rng.choice(paths), rng.choice(bodies), kind, headers)

    trial.each(fuzz_examples(default=150, large=10_000), ask)
