"""An Argo server as a test needs it: archived workflows, lists without steps, one with them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.waiting import PATIENCE


@dataclass
class Fake:
    """Answers as an Argo server does, and notes what it was asked."""

    url: str = ""
    archived: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """One request."""
        self.paths.append(request.path_qs)
        self.tokens.append(request.headers.get("Authorization", ""))
        if request.path == "/api/v1/version":
            return web.json_response({"version": "v4.1.2"})
        if request.path == "/api/v1/archived-workflows":
            return self._page(request)
        uid = request.path.rpartition("/")[2]
        for workflow in self.archived:
            if workflow["metadata"]["uid"] == uid:
                return web.json_response(workflow)
        return web.json_response({"code": 5, "message": "not found"}, status=404)

    def _page(self, request: web.Request) -> web.Response:
        start = int(request.query.get("listOptions.continue", 0))
        size = int(request.query["listOptions.limit"])
        end = start + size
        metadata = {"continue": str(end)} if end < len(self.archived) else {}
        items = [_without_steps(workflow) for workflow in self.archived[start:end]] or None
        return web.json_response({"metadata": metadata, "items": items})


@contextmanager
def argo_server() -> Iterator[Fake]:
    """A server on a port of its own."""
    fake, ready, stop = Fake(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", fake.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        fake.url = f"http://{host}:{port}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
        loop.close()


def _without_steps(workflow: dict[str, Any]) -> dict[str, Any]:
    status = {key: value for key, value in workflow["status"].items() if key != "nodes"}
    return {**workflow, "status": status}
