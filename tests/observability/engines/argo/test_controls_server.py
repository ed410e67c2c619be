"""What only the Argo server does: the calls it gets, and its answers as ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from console.clients.kubernetes.client import KubernetesClient
from console.errors import Conflict, ExternalError, Refused, Unreachable
from observability.engines.argo import controls
from observability.engines.contracts import Engine, Status
from observability.engines.verbs import ActionRequest, RunFacts
from tenants.contracts import TargetRef


class Server(BaseHTTPRequestHandler):
    """Remembers what it was asked and answers what the test says."""

    requests: ClassVar[list[tuple[str, str, dict[str, Any]]]] = []
    answer: ClassVar[tuple[int, bytes]] = (200, b"{}")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.path, self.headers["Authorization"], json.loads(body)))
        status, text = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TargetRef]:
    """An Argo target with a server; the object itself is one that has failed."""
    token = tmp_path / "token"
    token.write_text("t0ken")
    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Server.requests.clear()
    Server.answer = (200, b'{"metadata": {"name": "flow-2", "uid": "u-2"}}')
    labels = {"workflows.argoproj.io/completed": "true"}
    manifest = {"metadata": {"name": "flow", "uid": "u-1", "labels": labels}, "spec": {}}
    monkeypatch.setattr(KubernetesClient, "get", lambda *_, **__: manifest)
    options = {
        "argo_server": f"http://127.0.0.1:{server.server_port}",
        "argo_server_token": f"file:{token}",
    }
    yield TargetRef(5, "flows", "argo", "", "kubeconfig:/nowhere", options)
    server.shutdown()
    server.server_close()


def act(target: TargetRef, verb: str, **arguments: str) -> Any:
    run = RunFacts(1, Engine.ARGO, "", "flow", "u-1", "acme", "t", Status.FAILED)
    request = ActionRequest("d", verb, arguments, "again", "olga")
    return controls.ArgoControls().perform(run=run, target=target, request=request)


def test_retrying_asks_the_server_under_its_token(target: TargetRef) -> None:
    answer = act(target, "retry")
    assert answer.result == {"name": "flow-2", "uid": "u-2"}
    body = {"namespace": "acme", "name": "flow"}
    assert Server.requests == [("/api/v1/workflows/acme/flow/retry", "Bearer t0ken", body)]


def test_memoized_resubmission_says_so(target: TargetRef) -> None:
    act(target, "resubmit_memoized")
    path, _, body = Server.requests[0]
    assert path.endswith("/resubmit")
    assert body["memoized"] is True


def test_a_step_is_resumed_only_while_the_workflow_runs(target: TargetRef) -> None:
    with pytest.raises(Conflict, match="ended already"):
        act(target, "resume_node", node="displayName=approve")
    assert Server.requests == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (403, Refused), (409, Conflict), (500, Unreachable), (302, ExternalError)],
)
def test_what_the_server_says_is_said_as_it_is(
    target: TargetRef, status: int, kind: type[ExternalError]
) -> None:
    Server.answer = (
        status,
        b'{"code": 9, "message": "workflow must be Failed/Error to retry", "details": []}',
    )
    with pytest.raises(kind, match="must be Failed/Error"):
        act(target, "retry")


def test_without_a_server_it_is_refused(target: TargetRef) -> None:
    without = TargetRef(6, "flows", "argo", "", "kubeconfig:/nowhere")
    with pytest.raises(Refused, match="has none"):
        act(without, "retry")
