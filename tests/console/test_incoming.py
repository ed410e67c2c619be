"""Requests as the application itself gets them, before Django has made anything of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import RequestFactory

from console.wsgi import application

CODECS = ["hex", "rot13", "bz2", "zlib", "base64", "idna", "punycode", "utf-7", "undefined"]


@pytest.fixture(autouse=True)
def _connection_of_the_test(db: None) -> Iterator[None]:
    """Requests over WSGI give back connections that are old; here it holds the test's data."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def ask(path: str = "/healthz", body: bytes = b"", method: str = "POST", **environ: str) -> int:
    """The status of an answer of the WSGI application."""
    started: list[int] = []
    environ_ = RequestFactory().generic(method, path, body).environ
    environ_ |= {"wsgi.input": io.BytesIO(body), **environ}

    def start(status: str, *_: Any) -> Callable[[bytes], object]:
        started.append(int(status.split()[0]))
        return len

    b"".join(application(environ_, start))
    return started[0]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("query", ["", "?q=x", "?q=%E9"])
def test_a_codec_that_is_no_character_set_is_refused(codec: str, query: str) -> None:
    for path in (f"/access/sign-in/{query}", f"/api/v1/tenants/{query}"):
        assert ask(path, b"x=1", CONTENT_TYPE=f"text/plain; charset={codec}") == 415


@pytest.mark.parametrize(
    "content_type",
    [
        "a; b*=foo'en'x",
        "a; charset*=undefined''%41",
        "a; b*0*=undefined''%41",
        "a;" * 2_000,
        ";;;=;",
    ],
)
def test_a_content_type_that_cannot_be_read_is_no_fault_of_ours(content_type: str) -> None:
    for path in ("/access/sign-in/?q=x", "/api/v1/tenants/?q=x"):
        assert ask(path, b"x=1", CONTENT_TYPE=content_type) in (200, 401, 403, 415)


def test_too_many_fields_beside_a_character_set_are_refused() -> None:
    query = "&".join(f"f{number}=1" for number in range(1_001))
    for kind in ("text/plain; charset=utf-8", "application/json"):
        assert ask(f"/access/sign-in/?{query}", method="GET", CONTENT_TYPE=kind) == 413
        assert ask(f"/api/v1/tenants/?{query}", method="GET", CONTENT_TYPE=kind) in (401, 413)


@pytest.mark.parametrize("accept", ["a; b*=foo'en'x", "text/html, a/b; c*=foo''x;", ";;;", ","])
def test_an_accept_that_cannot_be_read_counts_as_not_sent(accept: str) -> None:
    assert ask("/api/v1/tenants/", method="GET", HTTP_ACCEPT=accept) in (401, 406)


@pytest.mark.parametrize("address", ["/tenants/%00/", "/jobs/?q=%00", "/api/v1/jobs/?q=a%00b"])
def test_a_nul_in_an_address_is_refused(address: str) -> None:
    assert ask(address, method="GET") == 400


@pytest.mark.parametrize(
    "cookie", ['sessionid="abcdefgh\\000i"', 'csrftoken="\\000"', "sessionid=\xff"]
)
def test_a_nul_in_a_cookie_is_no_cookie(cookie: str) -> None:
    assert ask("/tenants/", method="GET", HTTP_COOKIE=cookie) == 302
    assert ask("/api/v1/tenants/", method="GET", HTTP_COOKIE=cookie) == 401
