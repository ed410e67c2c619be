"""Every page, REST operation and kind of change × role × credential × whose it is, tried.

A cell is one request: it is let in, refused (403), not found (404) or sent to sign in (302, 401),
and that has to be what the table says. Refused cells say so before they look at what was sent, so
empty bodies do for all; each is rolled back.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from console.access.models import TokenScope
from console.audit.models import Entry, Outcome
from console.rest.urls import NoSuchAddress
from observability.jobs.api import runs as endpoints
from observability.jobs.services.documents import Download
from observability.jobs.views import run as pages
from quotas.changes.kinds.registry import KINDS
from quotas.changes.models import Proposal
from quotas.enforcement.adapters import registry
from tests.access import table, world
from tests.access.table import Need
from tests.access.world import CREDENTIALS, FOREIGN, OWN, ROLES, SESSION, SIGNED_OUT, World
from tests.quotas.changes.memory_adapter import MemoryAdapter

IN, REFUSED, MISSING, SENT_AWAY = "let in", "refused", "not found", "sent to sign in"
LEVELS = {Need.VIEW: 1, Need.OPERATE: 2, Need.ADMINISTER: 3}
ANYBODY = {Need.SIGN_IN, Need.SELF}
ROLE = {"viewer": 1, "operator": 2, "admin": 3}
SCOPE = {SESSION: 3, "all": 3, "operate": 2, "read": 1}


@dataclass(frozen=True, slots=True)
class Cell:
    """One request and what is meant to come of it; `slug` says whose it is about, "" nobody's."""

    name: str
    need: Need
    method: str
    path: str
    who: str
    by: str
    slug: str = ""
    body: bytes = b""

    def expected(self, *, is_page: bool) -> str:
        """What the table means for whoever asks."""
        if self.need is Need.OPEN:
            return IN
        if self.who == SIGNED_OUT or (is_page and self.by != SESSION):
            return SENT_AWAY
        level = min(ROLE.get(self.who, 0), SCOPE[self.by])
        if self.need in LEVELS:
            return IN if level >= LEVELS[self.need] else REFUSED
        if self.need in ANYBODY:
            return IN if self.need is Need.SIGN_IN or self.method == "GET" else MISSING
        if self.need is Need.OWN:
            return IN if level or self.is_own or not self.slug else MISSING
        return self._expected_of_both(level)

    def _expected_of_both(self, level: int) -> str:
        """Where a role or membership of the tenant does, or reading needs less than writing."""
        if self.need is Need.VIEW_OPERATE:
            return (
                IN
                if level >= LEVELS[Need.VIEW if self.method == "GET" else Need.OPERATE]
                else REFUSED
            )
        if level >= LEVELS[Need.OPERATE]:
            return IN
        if not level and not self.is_own:
            return MISSING
        return IN if self.need is Need.OWN_OR_OPERATE and self.is_own else REFUSED

    @property
    def is_own(self) -> bool:
        """Whether they are a member of the tenant that it is about."""
        return (self.who, self.slug) in {("member", OWN), ("member of another", FOREIGN)}


def seen(response: Any) -> str:
    """What came of a request, in the words of this file."""
    status = response.status_code
    away = status == 302 and response["Location"].startswith("/access/sign-in/?next=")
    if away or status == 401:
        return SENT_AWAY
    outcome = {403: REFUSED, 404: MISSING}.get(status, IN if status < 500 or status == 503 else "")
    return outcome or f"broken: {status}"


@pytest.fixture
def built(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, with planes and engines that answer at once, and no log of every refusal."""
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    adapter = MemoryAdapter()
    monkeypatch.setattr(registry, "adapter_for", lambda _kind: adapter)
    for module in (endpoints, pages):
        monkeypatch.setattr(
            module, "download_history", lambda **_: Download(name="x", media="text/plain", data=b"")
        )
    return world.build()


def credentials() -> Iterator[tuple[str, str]]:
    """Everybody who may ask, and with what."""
    yield SIGNED_OUT, SESSION
    yield from ((who, by) for who in ROLES for by in CREDENTIALS)


# Where an address gets its parameter from: the first match counts.
SUBJECTS = (
    (r"tenants/_/members/_/", "Tenant Membership"),
    (r"(jobs/panels/tenant|tenants)/_/", "Tenant"),
    (r"(usage/)?placements/_/", "Placement"),
    (r"leases/_/", "Lease"),
    (r"overrides/_/", "Override"),
    (r"(changes|proposals)/_/", "Proposal"),
    (r"rollouts/_/", "Rollout"),
    (r"(jobs/targets|targets)/_/", "target"),
    (r"plans/_/versions/_/", "plan version"),
    (r"plans/_/", "plan"),
    (r"(jobs/)?bundles/_/", "bundle"),
    (r"(jobs/)?replays/_/", "Replay"),
    (r"jobs/saved/_/", "saved"),
    (r"(jobs/)?actions/_/", "Action"),
    (r"jobs/_/events/_/", "JobRun JobEvent"),
    (r"jobs/_/actions/_/", "JobRun verb"),
    (r"jobs/_/", "JobRun"),
    (r"access/people/_/", "person"),
    (r"access/account/tokens/_/", "token"),
)


def addresses(built: World, route: str) -> Iterator[tuple[str, str]]:
    """(path, tenant's slug) of a route with blanks: of both tenants, or once of nobody's."""
    if "_/" not in route.replace("take_over", ""):
        yield route, ""
        return
    names = next(names for pattern, names in SUBJECTS if re.match(pattern, route)).split()
    slugs = (OWN, FOREIGN) if names[0][0].isupper() else ("",)
    for slug in slugs:
        path = route
        for name in names:
            path = re.sub(r"(?<=/)_(?=/)", _value(built, slug, name), path, count=1)
        yield path, slug


def _value(built: World, slug: str, name: str) -> str:
    if name in {"version", "verb"}:
        return {"version": "1", "verb": "delete"}[name]
    row = built.rows[slug][name] if slug else built.shared[name]
    return str(getattr(row, "slug", "") or row.pk)


def page_routes() -> dict[str, str]:
    """Every page's route, with blanks for parameters, by name. REST has its own document."""
    return dict(_walk(get_resolver().url_patterns))


def _walk(
    entries: list[URLPattern | URLResolver], prefix: str = "", space: str = ""
) -> Iterator[tuple[str, str]]:
    for entry in entries:
        route = prefix + re.sub(r"<[^>]+>", "_", str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, route, entry.namespace or space)
        elif not route.startswith(("api/v1/", "api/^", "metrics", "static/", "^static/")):
            yield f"{space}:{entry.name}" if space else str(entry.name), route


def operations() -> dict[str, str]:
    """Every operation of the OpenAPI document, and the two that describe and measure: `GET:jobs/`
    to its route with blanks."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]  # type: ignore[no-untyped-call]  # drf-spectacular's
    routes = {"GET:schema/": "api/v1/schema/", "GET:metrics": "metrics"}
    for path, methods in paths.items():
        route = re.sub(r"\{[^}]+\}", "_", path).lstrip("/")
        for method in methods:
            routes[f"{method.upper()}:{route.removeprefix('api/v1/')}"] = route
    return routes


def endpoints_of_routes(
    entries: list[URLPattern | URLResolver], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Every method of an endpoint that some address leads to, named as in `operations`."""
    for entry in entries:
        route = prefix + re.sub(r"<[^>]+>", "_", str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from endpoints_of_routes(entry.url_patterns, route)
        elif declared := getattr(getattr(entry.callback, "cls", None), "required_permissions", {}):
            for method in declared:
                yield f"{method}:{route.removeprefix('api/v1/')}", entry.callback


def page_cells(built: World) -> Iterator[Cell]:
    for name, need in table.needs(table.PAGES).items():
        for path, slug in addresses(built, page_routes()[name]):
            for who, by in credentials():
                if by != SESSION and (slug == FOREIGN or by != TokenScope.ALL):
                    continue  # a token opens no page, whosever it is and whatever its scope
                for method in ("GET", "POST"):
                    yield Cell(name, need, method, path, who, by, slug)


def operation_cells(built: World) -> Iterator[Cell]:
    routes = operations()
    for name, need in table.needs(table.OPERATIONS).items():
        prefix = "api/v1/" if routes[name].startswith("api/v1/") else ""
        for path, slug in addresses(built, routes[name].removeprefix("api/v1/")):
            for who, by in credentials():
                yield Cell(name, need, name.partition(":")[0], f"{prefix}{path}", who, by, slug)


def kind_cells(drafts: dict[str, int]) -> Iterator[Cell]:
    """Over REST with every credential, on pages with a session."""
    for kind, need in table.needs(table.KINDS).items():
        proposed = f"api/v1/proposals/{drafts[kind]}/"
        body = f'{{"kind": "{kind}"}}'.encode()
        for who, by in credentials():
            for path in ("api/v1/proposals/", "api/v1/preview/"):
                yield Cell(kind, need, "POST", path, who, by, body=body)
            yield Cell(kind, need, "POST", f"{proposed}apply/", who, by)
            yield Cell(kind, need, "DELETE", proposed, who, by)
            if by == SESSION:
                for verb in ("apply", "discard"):
                    yield Cell(kind, need, "POST", f"changes/{drafts[kind]}/{verb}/", who, by)


def send(client: Client, cell: Cell) -> tuple[Any, int]:
    """The answer, and how many refusals are in the ledger then; rows and cookies are put back."""
    cookies = copy(client.cookies)
    with transaction.atomic():
        response = client.generic(
            cell.method, f"/{cell.path}", cell.body, content_type="application/json"
        )
        is_refused = response.status_code == 403
        entries = Entry.objects.filter(outcome=Outcome.REFUSED).count() if is_refused else 0
        transaction.set_rollback(True)
    client.cookies = cookies
    return response, entries


def wrong(built: World, cells: Iterator[Cell], *, is_page: Callable[[Cell], bool]) -> list[str]:
    """Tries every cell; those that came out otherwise than the table says, in words."""
    problems = []
    for cell in cells:
        response, entries = send(built.clients[cell.who, cell.by], cell)
        meant, came = cell.expected(is_page=is_page(cell)), seen(response)
        TRIED[came] += 1
        if came != meant:
            problems.append(f"{cell}: {came} ({response.status_code}), not {meant}")
        elif came == REFUSED and entries != (cell.method != "GET"):
            problems.append(f"{cell}: {entries} refusals in the ledger")
    return problems


TRIED: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _counted(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """What a test tried goes into its report, and from there into the summary of the run."""
    TRIED.clear()
    yield
    if TRIED:
        words = ", ".join(f"{count} {came}" for came, count in TRIED.most_common())
        record_property("tried", f"{TRIED.total()} cells: {words}")


def test_every_page_operation_and_kind_has_its_line_in_the_table() -> None:
    """And no line stands for what is gone."""
    assert set(table.needs(table.PAGES)) == set(page_routes())
    assert set(table.needs(table.OPERATIONS)) == set(operations())
    assert set(table.needs(table.KINDS)) == set(KINDS)


def test_every_endpoint_that_an_address_leads_to_is_an_operation() -> None:
    """One that the OpenAPI document leaves out would have no line in the table."""
    endpoints = dict(endpoints_of_routes(get_resolver().url_patterns))
    assert len(endpoints) > 60
    unlisted = {name for name, view in endpoints.items() if view.cls is not NoSuchAddress}
    assert unlisted - set(operations()) == set()


def test_every_page_lets_in_whom_the_table_says(built: World) -> None:
    problems = wrong(built, page_cells(built), is_page=lambda _: True)
    assert not problems, "\n".join(problems)


def test_every_operation_lets_in_whom_the_table_says(built: World) -> None:
    problems = wrong(built, operation_cells(built), is_page=lambda _: False)
    assert not problems, "\n".join(problems)


def test_every_kind_of_change_is_made_by_whom_the_table_says(built: World) -> None:
    drafts = {
        kind: Proposal.objects.create(kind=kind, payload={}, title=kind, author_name="ann").pk
        for kind in KINDS
    }
    assert len(drafts) == 14
    problems = wrong(built, kind_cells(drafts), is_page=lambda c: c.path.startswith("changes/"))
    assert not problems, "\n".join(problems)
