"""Whatever lies at an address that somebody entered: of what answers there nothing is repeated, but
the words that a server of the expected kind has for its errors."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from console.clients.argo_server import ArgoServer
from console.clients.celery.client import CeleryClient
from console.clients.credentials import Secret
from console.clients.foreign_words import foreign_words
from console.clients.kubernetes import session
from console.clients.kubernetes.client import KubernetesClient
from console.clients.object_storage import ObjectStorage, StorageOptions
from console.clients.temporal.client import TemporalClient
from console.errors import ExternalError
from tests.console.clients.scripted import Answer, scripted

BODY = "SSRF-BODY-ECHO"
TEXT = f"{BODY} secret=abc {BODY}"
BODIES: list[Any] = [
    TEXT.encode(),
    f"<html><title>{BODY}</title></html>".encode(),
    f"<Error><Code>{BODY}</Code><Message>{BODY}</Message></Error>".encode(),
    TEXT,
    [TEXT],
    {"message": TEXT},
    {"error": TEXT, "message": TEXT, "secret": TEXT},
    {"kind": "Secret", "message": TEXT, "data": {"a": TEXT}},
    {"kind": "Status", "message": {"text": TEXT}, "details": TEXT},
    {"kind": TEXT, "code": TEXT, "message": TEXT},
    {"code": 3, "message": TEXT, "password": "x"},
    {"message": TEXT, "details": {"causes": TEXT, "retryAfterSeconds": TEXT}},
    {"message": TEXT, "details": {"causes": [TEXT, {"reason": 3}]}},
]


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_CRED_TOKEN", "token")
    monkeypatch.setattr(session, "LONGEST_PAUSE", 0.01)


def message_of(act: Callable[[], object]) -> str:
    with pytest.raises(ExternalError) as caught:
        act()
    return caught.value.message


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 410, 418, 422, 500, 502])
@pytest.mark.parametrize("body", BODIES)
def test_nothing_of_an_http_answer_is_repeated(status: int, body: Any) -> None:
    with scripted(Answer(status, body)) as script:
        client = KubernetesClient("env:HEADROOM_CRED_TOKEN", server=script.url)
        for act in (client.version, lambda: client.list("Pod"), ArgoServer(script.url).version):
            message = message_of(act)
            assert BODY not in message
            assert str(status) in message or (status == 410 and "expired" in message)


@pytest.mark.parametrize("body", BODIES[:3])
def test_nothing_of_an_answer_that_claims_to_be_one_is_repeated(body: bytes) -> None:
    with scripted(Answer(200, body)) as script:
        client = KubernetesClient("env:HEADROOM_CRED_TOKEN", server=script.url)
        for act in (client.version, client.probe, ArgoServer(script.url).version):
            assert BODY not in message_of(act)


def test_what_an_api_server_says_is_shown_in_bounds() -> None:
    long = {"kind": "Status", "message": f"no\nroom \u202e {'x' * 9_000}"}
    with scripted(Answer(403, long)) as script:
        client = KubernetesClient("env:HEADROOM_CRED_TOKEN", server=script.url)
        message = message_of(client.version)
    assert "no room ⟨U+202E⟩ xxx" in message
    assert len(message) < 560


@pytest.mark.parametrize(
    "body",
    [{"code": 1, "message": TEXT}, {"error": "x", "message": TEXT, "code": 7, "details": []}],
)
def test_what_an_argo_server_would_say_is_not_repeated_of_a_cluster(body: Any) -> None:
    with scripted(Answer(500, body)) as script:
        client = KubernetesClient("env:HEADROOM_CRED_TOKEN", server=script.url)
        assert BODY not in message_of(client.version)


def test_what_an_argo_server_says_is_shown() -> None:
    with scripted(Answer(404, {"code": 5, "message": "workflows.argoproj.io not found"})) as script:
        assert "argoproj.io not found" in message_of(ArgoServer(script.url).version)


@contextmanager
def talker(answer: bytes) -> Iterator[int]:
    """Something that says one thing to whoever connects; its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


ANSWERS = [
    f"HTTP/1.1 400 Bad Request\r\n\r\n{TEXT}\r\n".encode(),
    f"{TEXT}\r\n".encode(),
    f"220 {BODY} ESMTP\r\n".encode(),
    f":{BODY}\r\n".encode(),
    f"${BODY}\r\n".encode(),
    b"AMQP\x00\x00\x09\x01" + TEXT.encode(),
    b"\x01\x00\x00\x00\x00\x00\xff" + TEXT.encode(),
]


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_nothing_of_what_is_no_broker_is_repeated(scheme: str, answer: bytes) -> None:
    with talker(answer) as port:
        client = CeleryClient(f"{scheme}://127.0.0.1:{port}/1", timeout=2.0)  # clock: no broker
        assert BODY not in message_of(client.probe)


@pytest.mark.parametrize("answer", ANSWERS[:3])
def test_nothing_of_what_is_no_temporal_is_repeated(answer: bytes) -> None:
    with talker(answer) as port:
        client = TemporalClient(f"127.0.0.1:{port}", timeout=2.0)  # clock: no Temporal
        assert BODY not in message_of(client.probe)


@pytest.mark.parametrize("status", [301, 400, 403, 404, 500])
@pytest.mark.parametrize("body", BODIES[:3])
def test_nothing_of_what_is_no_object_storage_is_repeated(status: int, body: bytes) -> None:
    with scripted(Answer(status, body)) as script:
        options = StorageOptions(
            endpoint=script.url, region="x", allow_http=True, timeout=2.0,  # clock: no bucket
            access_key=Secret("key"), secret_key=Secret("do-not-show"),
        )  # fmt: skip
        storage = ObjectStorage("s3://bucket", options)
        for act in (lambda: storage.get("a"), lambda: storage.put("a", b"x")):
            message = message_of(act)
            assert BODY not in message
            assert "do-not-show" not in message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\tc", "a b c"),
        ("x" * 2_000, "x" * 500),
        ("\u202eevil\u200b\x1b[31m\0", "⟨U+202E⟩evil⟨U+200B⟩⟨U+001B⟩[31m⟨U+0000⟩"),
        ("", ""),
        (json.dumps("é"), '"\\u00e9"'),
    ],
)
def test_foreign_words_are_short_and_visible(text: str, shown: str) -> None:
    assert foreign_words(text) == shown
