"""One target's connection: configuration and auth by the official SDK, traffic by raw aiohttp.

The SDK knows every way to sign in (client certificates, tokens, exec plugins, GKE, in-cluster) but
its own HTTP client is half as fast as a bare keep-alive session; so each does what it is good at.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson
import yaml
from kubernetes.client import Configuration
from kubernetes.config import (
    ConfigException,
    load_incluster_config,
    load_kube_config,
    load_kube_config_from_dict,
)
from yarl import URL

from console.clients.bridge import closes_at_stop, offload
from console.clients.contracts import RequestCounter
from console.clients.credentials import Reference
from console.clients.kubernetes.problems import NoAnswer, from_answer, from_exception
from console.errors import Conflict, ExternalError, Refused, Throttled, Unreachable

TOKEN_CHECK_SECONDS: Final = 30.0  # how often a refreshable token is looked at
STAMP_CHECK_SECONDS: Final = 0.5  # how often the credential's file is looked at
ATTEMPTS: Final = 6
ATTEMPTS_WITHOUT_ANSWER: Final = 3
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a credential alone may not say. `server` and the rest only matter for bare tokens."""

    server: str = ""
    ca_file: str = ""
    insecure_skip_tls_verify: bool = False
    connections: int = 16
    request_timeout: float = 15.0


@dataclass(slots=True)
class _Live:
    """What belongs to one process and one version of the credential."""

    http: aiohttp.ClientSession
    configuration: Configuration
    stamp: str
    base: str
    proxy: str | None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    checked_at: float = -TOKEN_CHECK_SECONDS
    stamped_at: float = -STAMP_CHECK_SECONDS

    def fresh(self, now: float) -> bool:
        """Whether neither the credential nor the token needs a look."""
        return (
            now < self.stamped_at + STAMP_CHECK_SECONDS
            and now < self.checked_at + TOKEN_CHECK_SECONDS
        )


class Session:
    """HTTP to one API server: authenticated, counted, retried, always within a deadline.

    Everything here runs on the bridge's loop; deadlines are in the loop's time.
    """

    def __init__(self, credential: Reference, options: Options) -> None:
        self._credential = credential
        self._options = options
        # Per process: what a fork inherits stays untouched, also by finalizers.
        self._live: dict[int, _Live] = {}
        self._opening: dict[int, asyncio.Lock] = {}
        self._not_before = 0.0
        self.counter = RequestCounter()
        closes_at_stop(self)

    async def send(
        self,
        method: str,
        path: str,
        *,
        what: str,
        deadline: float,
        query: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """One request; its successful answer's body. Transient failures are repeated till `deadline`.

        Repeated: 429 and 5xx (obeying Retry-After), "object has been modified", broken
        connections (few times), 401 once after the credential has been read again.
        """
        attempt = 0
        renewed = False
        while True:
            attempt += 1
            problem = await self._attempt(method, path, what, deadline, query, body, headers)
            if isinstance(problem, bytes):
                return problem
            if problem.code == "unauthenticated" and not renewed:
                renewed = True
                await self._drop_live()
                continue
            pause = self._pause(problem, attempt, deadline)
            if pause is None:
                raise problem
            self.counter.retries += 1
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Close this process's connections; the next request opens new ones."""
        live = self._live.pop(os.getpid(), None)
        if live is not None:
            await live.http.close()

    async def _attempt(
        self,
        method: str,
        path: str,
        what: str,
        deadline: float,
        query: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> bytes | ExternalError:
        loop = asyncio.get_running_loop()
        if self._not_before > loop.time():
            if self._not_before >= deadline:
                return Throttled(f"{what}: told to wait", retry_after=self._not_before - loop.time())
            await asyncio.sleep(self._not_before - loop.time())
        left = deadline - loop.time()
        if left <= 0:
            return NoAnswer(f"{what}: no time left")
        try:
            async with asyncio.timeout(min(left, self._options.request_timeout)):
                live = await self._ready()
                self._count(method)
                async with live.http.request(
                    method,
                    URL(f"{live.base}{path}{'?' if query else ''}{query}", encoded=True),
                    data=body,
                    headers={**live.headers, **headers} if headers else live.headers,
                    proxy=live.proxy,
                    allow_redirects=False,
                ) as answer:
                    content = await answer.read()
                    if answer.status < 300:
                        return content
                    return from_answer(what, answer.status, content, answer.headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            return from_exception(what, problem)

    def _count(self, method: str) -> None:
        if method == "GET":
            self.counter.reads += 1
        else:
            self.counter.writes += 1

    def _pause(self, problem: ExternalError, attempt: int, deadline: float) -> float | None:
        """Seconds until the next attempt, or None when there should be none."""
        most = ATTEMPTS_WITHOUT_ANSWER if isinstance(problem, NoAnswer) else ATTEMPTS
        if not problem.retryable or attempt >= most:
            return None
        if not isinstance(problem, Unreachable | Throttled | Conflict):
            return None
        now = asyncio.get_running_loop().time()
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
        if problem.retry_after is not None:
            pause += problem.retry_after
            if isinstance(problem, Throttled):
                # The whole target is busy, so everybody waits, not only this request.
                self._not_before = max(self._not_before, now + problem.retry_after)
        return pause if now + pause < deadline else None

    # -- configuration and auth --------------------------------------------------------------

    async def _ready(self) -> _Live:
        pid = os.getpid()
        lock = self._opening.setdefault(pid, asyncio.Lock())
        now = asyncio.get_running_loop().time()
        live = self._live.get(pid)
        if live is not None and live.fresh(now):
            return live
        async with lock:
            live = self._live.get(pid)
            if live is not None and live.fresh(now):
                return live
            stamp = self._credential.stamp()
            if live is None or live.stamp != stamp:
                await self._drop_live()
                live = await self._open(stamp)
            if live.checked_at + TOKEN_CHECK_SECONDS <= now:
                configuration = live.configuration
                live.headers = await offload(lambda: _headers(configuration))
                live.checked_at = now
            live.stamped_at = now
            self._live[pid] = live
            return live

    async def _open(self, stamp: str) -> _Live:
        configuration, context = await offload(lambda: load(self._credential, self._options))
        connector = aiohttp.TCPConnector(
            limit=self._options.connections,
            keepalive_timeout=60,
            ssl=context if context is not None else True,
        )
        http = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),  # asyncio.timeout bounds every request
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            skip_auto_headers=("User-Agent",),
        )
        base = str(configuration.host).rstrip("/")
        return _Live(http, configuration, stamp, base, configuration.proxy or None)

    async def _drop_live(self) -> None:
        """Forget the current credential; requests under way may finish."""
        live = self._live.pop(os.getpid(), None)
        if live is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(
                self._options.request_timeout, lambda: loop.create_task(live.http.close())
            )


def load(credential: Reference, options: Options) -> tuple[Configuration, ssl.SSLContext | None]:
    """Read the credential into the SDK's configuration and a TLS context. Blocking.

    Refused (code `credential`) when it cannot be used; the message holds no secret.
    """
    configuration = Configuration()
    try:
        if credential.scheme == "in-cluster":
            load_incluster_config(client_configuration=configuration)
        elif credential.scheme == "kubeconfig":
            _require_file(credential)
            load_kube_config(
                str(credential.path()),
                context=credential.context or None,
                client_configuration=configuration,
                persist_config=False,
            )
        else:
            _load_text(credential, options, configuration)
        return configuration, _tls(configuration)
    except ConfigException as problem:
        raise Refused(f"kubeconfig: {problem}"[:300], code="credential") from None
    except (ssl.SSLError, OSError) as problem:
        reason = getattr(problem, "strerror", None) or type(problem).__name__
        raise Refused(f"TLS material cannot be used: {reason}", code="credential") from None


def _require_file(credential: Reference) -> None:
    if not credential.path().is_file():
        raise Refused(f"kubeconfig {credential.path()} is not a file", code="credential")


def _load_text(credential: Reference, options: Options, configuration: Configuration) -> None:
    """A kubeconfig document, or a bare token for `options.server`."""
    secret = credential.read()
    if "clusters:" in secret.value or '"clusters"' in secret.value:
        try:
            document = yaml.safe_load(secret.value)
        except yaml.YAMLError:
            # Not chained and not shown: YAML errors quote the text around the mistake.
            raise Refused("the kubeconfig is not valid YAML", code="credential") from None
        load_kube_config_from_dict(
            document, client_configuration=configuration, persist_config=False
        )
        return
    if not options.server:
        raise Refused("a bare token needs the server's address", code="credential")
    configuration.host = options.server
    configuration.api_key["BearerToken"] = f"Bearer {secret.value}"
    configuration.verify_ssl = not options.insecure_skip_tls_verify
    configuration.ssl_ca_cert = options.ca_file or None


def _tls(configuration: Configuration) -> ssl.SSLContext | None:
    if not str(configuration.host).startswith("https"):
        return None
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Kubernetes' own CAs are often older than what Python 3.13's strict mode accepts.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def _headers(configuration: Configuration) -> dict[str, str]:
    """The headers of every request; asks the SDK for a fresh token when the old one expired."""
    headers = {"User-Agent": "headroom", "Accept": "application/json"}
    token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    if token:
        headers["Authorization"] = token
    return headers


def dump(value: Any) -> bytes:
    """JSON as the API server takes it."""
    return orjson.dumps(value)
