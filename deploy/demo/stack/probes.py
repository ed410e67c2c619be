"""Questions that tell whether a server is ready. Each answers within a second (longer on a slow
machine, where a server that is well takes longer, too), and never raises.
"""

import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from pathlib import Path

from deploy.demo.stack.part import Probe
from deploy.demo.stack.patience import machine_slowness

TIMEOUT = 1.0


class Asking:
    """One question, asked in a thread of its own."""

    def __init__(self, probe: Probe) -> None:
        """Asks."""
        self._probe = probe
        self._answer: bool | None = None
        threading.Thread(target=self._ask, daemon=True).start()

    def answer(self) -> bool | None:
        """What was answered; None as long as nothing was."""
        return self._answer

    def _ask(self) -> None:
        answer = False
        try:
            answer = self._probe()
        finally:
            self._answer = answer


def timeout() -> float:
    """Seconds that an answer may take, on this machine at this moment."""
    return TIMEOUT * machine_slowness()


def accepts(port: int) -> Probe:
    """Something listens on the loopback port."""

    def probe() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout()):
                return True
        except OSError:
            return False

    return probe


def pongs(port: int) -> Probe:
    """A Redis-like server answers PING, so it has loaded its data."""

    def probe() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout()) as connection:
                connection.settimeout(timeout())
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
            with opener.open(request, timeout=timeout()):
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
