"""The Argo server's API as recorded: archived workflows in pages, one with its steps, refusals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from console.clients.argo_server import ArgoServer
from console.errors import NotFound, Refused, Unreachable


@dataclass
class Fake:
    """Answers as an Argo server does, and notes what it was asked."""

    url: str = ""
    archived: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """One request."""
        self.asked.append(request.path_qs)
        self.tokens.append(request.headers.get("Authorization", ""))
        if request.path == "/api/v1/version":
            return web.json_response({"version": "v4.1.2"})
        if request.path == "/api/v1/archived-workflows":
            return self._page(request)
        uid = request.path.rpartition("/")[2]
        for one in self.archived:
            if one["metadata"]["uid"] == uid:
                return web.json_response({**one, "status": {**one["status"], "nodes": {"a": {}}}})
        return web.json_response({"code": 5, "message": "not found"}, status=404)

    def _page(self, request: web.Request) -> web.Response:
        start = int(request.query.get("listOptions.continue", 0))
        size = int(request.query["listOptions.limit"])
        end = start + size
        metadata = {"continue": str(end)} if end < len(self.archived) else {}
        found = self.archived[start:end] or None
        return web.json_response({"metadata": metadata, "items": found})


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A server on a port of its own."""
    found, ready, stop = Fake(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", found.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        found.url = f"http://{host}:{port}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield found
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def archived(number: int) -> dict[str, Any]:
    """An archived workflow as a list has it."""
    metadata = {"name": f"wf-{number}", "namespace": "acme", "uid": f"uid-{number}"}
    return {"metadata": metadata, "status": {"phase": "Succeeded"}}


def test_archived_workflows_come_in_pages(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_TOKEN", "secret-token")
    fake.archived = [archived(number) for number in range(5)]
    server = ArgoServer(fake.url, token="env:ARGO_TOKEN")
    since = datetime(2026, 11, 22, 10, tzinfo=UTC)
    found = list(server.archived("acme", started_after=since, page=2))
    assert [len(page) for page in found] == [2, 2, 1]
    assert "metadata.namespace%3Dacme%2Cspec.startedAt%3E2026-11-22T10" in fake.asked[0]
    assert fake.tokens[0] == "Bearer secret-token"
    assert "secret" not in repr(server)


def test_an_empty_archive_has_no_pages(fake: Fake) -> None:
    assert list(ArgoServer(fake.url).archived("acme")) == []


def test_one_archived_workflow_has_its_steps(fake: Fake) -> None:
    fake.archived = [archived(1)]
    server = ArgoServer(fake.url)
    assert server.archived_workflow("uid-1")["status"]["nodes"] == {"a": {}}
    with pytest.raises(NotFound):
        server.archived_workflow("uid-2")
    assert server.version() == "v4.1.2"


def test_a_name_cannot_leave_its_place_in_the_path(fake: Fake) -> None:
    with pytest.raises(NotFound):
        ArgoServer(fake.url).workflow("acme", "../../etc", uid="u&x=1")
    assert fake.asked == ["/api/v1/workflows/acme/..%2F..%2Fetc?uid=u%26x%3D1"]


def test_an_address_that_is_none_is_refused_and_one_that_is_away_unreachable() -> None:
    with pytest.raises(Refused):
        ArgoServer("argo:2746")
    with pytest.raises(Unreachable):
        ArgoServer("http://127.0.0.1:1", timeout=2.0).version()
