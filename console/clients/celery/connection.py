"""One broker: where it is, how to get a connection in bounded time, what its errors mean.

The address may come as a plain URL without a password, or as a credential reference whose content
is the URL. Nothing here, no error and no repr, ever shows the password.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import kombu
from kombu.exceptions import OperationalError

from console import deadline
from console.clients import credentials
from console.clients.credentials import Secret
from console.clients.foreign_words import foreign_words
from console.errors import ExternalError, Refused, Unreachable

SCHEMES: Final = ("redis", "rediss", "amqp", "amqps", "pyamqp", "sentinel")
POLL: Final = 0.1
_NO_BROKER: Final = re.compile(
    r"Protocol Error|InvalidResponse|UnexpectedFrame|FrameSyntaxError|Received 0x|invalid literal"
)
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]*@")
_DENIED: Final = re.compile(
    r"(?i)NOAUTH|WRONGPASS|NOPERM|invalid (username|password)|authentication|ACCESS_REFUSED|403"
)


class Broker:
    """Where a broker is; makes connections to it."""

    def __init__(self, endpoint: str, *, credential: str = "", timeout: float = 10.0) -> None:
        """`endpoint` is a URL without a password; `credential` a reference to one with it."""
        self.endpoint = endpoint
        self.credential = credential
        self.timeout = timeout

    def __repr__(self) -> str:
        return f"Broker({_USERINFO.sub('', self.endpoint) or self.credential})"

    def _url(self) -> Secret:
        if self.credential:
            return credentials.parse_secret(self.credential).read()
        return Secret(self.endpoint)

    def connection(self) -> Any:
        """A kombu connection that is open. Raises ExternalError within about `timeout`, or what is
        left of the request that waits for it; what is asked over it is bounded likewise."""
        timeout = deadline.bounded(self.timeout)
        url = self._url()
        scheme = _scheme(url)
        with self.errors():
            connection: Any = kombu.Connection(
                url.value,
                connect_timeout=timeout,
                heartbeat=30 if scheme.endswith(("amqp", "amqps")) else 0,
                transport_options=_options(scheme, timeout),
            )
            try:
                connection.ensure_connection(max_retries=1, timeout=timeout, interval_start=0)
                channel = connection.default_channel
                if connection.transport.driver_type == "redis":
                    # Whoever closes a connection waits for its last BRPOP: a second by default.
                    channel.brpop_timeout = POLL
            except BaseException:
                with suppress(Exception):
                    connection.release()
                raise
        return connection

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A connection for a few calls; closed afterwards, its errors re-typed."""
        connection = self.connection()
        try:
            with self.errors():
                yield connection
        finally:
            with suppress(Exception):
                connection.release()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns whatever kombu and its drivers raise into ours, without the password."""
        try:
            yield
        except ExternalError:
            raise
        except Exception as error:
            problem = self.problem(error)
            if problem is None:
                raise
            raise problem from None

    def problem(self, error: BaseException) -> ExternalError | None:
        """Ours for one of theirs; None for what is no trouble of the broker."""
        if not _external(error):
            return None
        text = self.scrub(f"{type(error).__name__}: {error}" if str(error) else repr(error))
        if _NO_BROKER.search(text) or _stumbled(error):
            # Whatever answered there is repeated in the error: it is not for us to show.
            return Unreachable("what answers there is no broker of this kind")
        if _DENIED.search(text):
            return Refused(f"the broker refused us: {text}", code="unauthenticated")
        return Unreachable(f"the broker did not answer: {text}")

    def scrub(self, text: str) -> str:
        """`text` without what stands before an @ in URLs, and without the password."""
        bare = _USERINFO.sub("", text)
        with suppress(ExternalError, ValueError):
            url = self._url()
            password = urlsplit(url.value).password
            bare = url.scrub(bare)
            if password:
                bare = Secret(unquote(password)).scrub(Secret(password).scrub(bare))
        return foreign_words(bare)


def _scheme(url: Secret) -> str:
    if _CONTROLS.search(url.value):
        # Readers of URLs leave it out, and the password would be another one.
        raise Refused(
            "the broker's address is not a URL: it has line breaks or other characters in it that"
            " no URL has",
            code="credential",
        )
    try:
        parts = urlsplit(url.value)
        _ = parts.port
    except ValueError:
        raise Refused("the broker's address is not a URL", code="credential") from None
    if parts.scheme not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise Refused(f"the broker's address must begin with one of {known}", code="credential")
    return parts.scheme


def _options(scheme: str, timeout: float) -> dict[str, Any]:
    if scheme.endswith(("amqp", "amqps")):
        return {"read_timeout": timeout, "write_timeout": timeout, "max_retries": 0}
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "socket_keepalive": True,
        "retry_on_timeout": False,
        "health_check_interval": 10,
        "max_retries": 0,
    }


def _external(error: BaseException) -> bool:
    """Whether the broker or a driver is to blame: by the error's kind, or by who raised it (drivers
    that read what no broker says stumble over it)."""
    if isinstance(error, OperationalError | OSError | EOFError | socket.timeout):
        return True
    return _package(type(error).__module__) in _DRIVERS or _is_a_drivers(error)


def _stumbled(error: BaseException) -> bool:
    """A plain error of Python's, raised by a driver."""
    return type(error).__module__ == "builtins" and not isinstance(error, OSError | EOFError)


def _is_a_drivers(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and _package(trace.tb_frame.f_globals["__name__"]) in _DRIVERS


def _package(module: str) -> str:
    return module.partition(".")[0]


_DRIVERS: Final = frozenset({"redis", "amqp", "kombu", "vine"})
