"""Questions that tell whether a server is ready. Each answers within a second, and never raises."""

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from deploy.demo.stack.part import Probe

TIMEOUT = 1.0


def accepts(port: int) -> Probe:
    """Something listens on the loopback port."""

    def probe() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), TIMEOUT):
                return True
        except OSError:
            return False

    return probe


def pongs(port: int) -> Probe:
    """A Redis-like server answers PING, so it has loaded its data."""

    def probe() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
                connection.settimeout(TIMEOUT)
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    return probe


def answers(url: str, *, token: str = "") -> Probe:
    """GET of `url` answers 2xx.

    Certificates are not checked: the server makes its own as it starts, and nothing that comes
    back is used.
    """
    context = ssl._create_unverified_context() if url.startswith("https") else None  # noqa: S323
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Without proxies: one that the environment names would be asked for our loopback address.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(url, headers=headers)

    def probe() -> bool:
        try:
            with opener.open(request, timeout=TIMEOUT):
                return True
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return False

    return probe


def log_says(log: Path, text: str) -> Probe:
    """The log of this start contains `text`. (Every start begins a new log.)"""
    wanted = text.encode()

    def probe() -> bool:
        try:
            return wanted in log.read_bytes()
        except OSError:
            return False

    return probe
