"""A small Argo server beside the emulated controller: the REST calls that Headroom makes, by the
objects of the cluster and the archive in memory. Loopback and plain HTTP; a token is asked for."""

import hmac
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

from console.errors import Conflict, ExternalError, NotFound
from deploy.emulators.argo import listing, names, operations
from deploy.emulators.argo.archive import Archive
from deploy.emulators.argo.names import Obj

MOST_BYTES: Final = 64 * 1024
Query = dict[str, str]


class Store(Protocol):
    """What the server needs of a cluster; see cluster.py."""

    def workflow(self, namespace: str, name: str) -> Obj: ...
    def workflows(self, namespace: str, selector: str) -> list[Obj]: ...
    def update(self, workflow: Obj) -> bool: ...
    def submit(self, workflow: Obj) -> Obj: ...
    def delete(self, kind: str, namespace: str, name: str) -> None: ...


class Answers:
    """What is answered to whom: path and body in, status and object out."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive

    def get(self, parts: list[str], query: Query) -> Obj:
        """Raises NotFound."""
        match parts:
            case ["version"]:
                return {"version": names.VERSION, "platform": "headroom.dev/emulated"}
            case ["info"]:
                return {"managedNamespace": "", "links": [], "modals": {}, "navColor": ""}
            case ["workflows", namespace]:
                workflows = self._store.workflows(
                    namespace, query.get("listOptions.labelSelector", "")
                )
                return listing.page(workflows, query)
            case ["workflows", namespace, name]:
                return self._workflow(namespace, name, query.get("uid", ""))
            case ["archived-workflows"]:
                return listing.page(self._archive.all(), query)
            case ["archived-workflows", uid]:
                return self._archived(lambda workflow: workflow["metadata"]["uid"] == uid)
        raise NotFound("not found")

    def put(self, parts: list[str], body: Obj) -> Obj:
        """Raises NotFound, Conflict, NotPossibleError."""
        if len(parts) != 4 or parts[0] != "workflows" or parts[3] not in _VERBS:
            raise NotFound("not found")
        _, namespace, name, verb = parts
        workflow = self._store.workflow(namespace, name)
        now = datetime.now(UTC)
        if verb == "resubmit":
            memoized = body.get("memoized") is True
            return self._store.submit(operations.resubmitted(workflow, now, memoized=memoized))
        if verb == "retry":
            return self._retry(workflow, now)
        return self._written(_VERBS[verb](workflow, now, str(body.get("nodeFieldSelector") or "")))

    def _retry(self, workflow: Obj, now: datetime) -> Obj:
        made, pods = operations.retried(workflow, now)
        for name in pods:
            self._store.delete("Pod", workflow["metadata"]["namespace"], name)
        return self._written(made)

    def _written(self, workflow: Obj) -> Obj:
        own = workflow["metadata"]
        if not self._store.update(workflow):
            raise Conflict(f"Workflow {own['name']} was written by somebody else meanwhile")
        return self._store.workflow(own["namespace"], own["name"])

    def _workflow(self, namespace: str, name: str, uid: str) -> Obj:
        try:
            workflow = self._store.workflow(namespace, name)
        except NotFound:
            workflow = {}
        if workflow and uid in ("", workflow["metadata"]["uid"]):
            return workflow

        def same(workflow: Obj) -> bool:
            own = workflow["metadata"]
            return (own["namespace"], own["name"]) == (namespace, name) and uid in ("", own["uid"])

        return self._archived(same)

    def _archived(self, fits: Callable[[Obj], bool]) -> Obj:
        workflow = next(filter(fits, self._archive.all()), None)
        if workflow is None:
            raise NotFound("not found")
        return workflow


_VERBS: Final[dict[str, Callable[[Obj, datetime, str], Obj]]] = {
    "resume": operations.resumed,
    "suspend": lambda workflow, *_: operations.suspended(workflow),
    "stop": lambda workflow, *_: operations.shut_down(workflow, "Stop"),
    "terminate": lambda workflow, *_: operations.shut_down(workflow, "Terminate"),
    "retry": lambda workflow, now, _: operations.retried(workflow, now)[0],
    "resubmit": lambda workflow, now, _: operations.resubmitted(workflow, now),
}


def serve(answers: Answers, token_file: Path, port: int) -> ThreadingHTTPServer:
    """Listens on the loopback address, in a thread of its own, until `shutdown`."""
    bound = type("BoundHandler", (Handler,), {"answers": answers, "token_file": token_file})
    server = ThreadingHTTPServer(("127.0.0.1", port), bound)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="argo-server", daemon=True).start()
    return server


class Handler(BaseHTTPRequestHandler):
    """HTTP around Answers; errors as Argo's gateway writes them."""

    answers: Answers
    token_file: Path
    timeout = 30
    protocol_version = "HTTP/1.1"
    server_version = "headroom-emulated-argo-server"

    def do_GET(self) -> None:
        """See http.server."""
        self._handle(lambda parts, query: self.answers.get(parts, query))

    def do_PUT(self) -> None:
        """See http.server."""
        self._handle(lambda parts, _: self.answers.put(parts, self._body()))

    def _handle(self, act: Callable[[list[str], Query], Obj]) -> None:
        address = urlsplit(self.path)
        parts = [unquote(part) for part in address.path.removeprefix("/api/v1/").split("/")]
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        try:
            if not self._is_known():
                self._answer(401, {"code": 16, "message": "token not valid"})
                return
            self._answer(200, act(parts, query))
        except (operations.NotPossibleError, listing.CannotSelectError, ValueError) as problem:
            self._answer(400, {"code": 3, "message": str(problem)})
        except NotFound as problem:
            self._answer(404, {"code": 5, "message": problem.message})
        except Conflict as problem:
            self._answer(409, {"code": 6, "message": problem.message})
        except ExternalError as problem:
            self._answer(503, {"code": 14, "message": problem.message})

    def _is_known(self) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        wanted = self.token_file.read_text(encoding="utf-8").strip()
        return bool(wanted) and hmac.compare_digest(token.encode(), wanted.encode())

    def _body(self) -> Obj:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= MOST_BYTES:
            raise ValueError("the body is too large")
        body = orjson.loads(self.rfile.read(length) or b"{}")
        return body if isinstance(body, dict) else {}

    def _answer(self, status: int, content: Obj) -> None:
        body = orjson.dumps(content)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        # What was not read of a refused request would be taken for the next one.
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the controller's log says what happens to workflows."""
