"""The Kubernetes client: sync methods, plain dicts, our own errors, bounded time.

Every method raises Unreachable, Throttled, Conflict, Refused or NotFound (console.errors) and
returns within its timeout (seconds). Safe from several threads and across forks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from console.clients import bridge
from console.clients.contracts import ApiPermission, AppliedObject, KubernetesProbe, RequestCounter
from console.clients.credentials import parse
from console.clients.kubernetes.apply_many import ApplyMany
from console.clients.kubernetes.calls import (
    BARE,
    JSON,
    MERGE,
    Calls,
    Object,
    Objects,
    apply_query,
)
from console.clients.kubernetes.client_config import Options
from console.clients.kubernetes.kinds import ResourceName, kind_of, resource_name_of
from console.clients.kubernetes.session import Session
from console.errors import NotFound

GRANTED_SECONDS: Final = 300.0

T = TypeVar("T")


class KubernetesClient:
    """One cluster, by credential reference (see console.clients.credentials).

    `server`, `ca_file` and `insecure_skip_tls_verify` are for references to a bare token; a
    kubeconfig says these itself. `timeout` bounds each call but list, list_many and apply_many,
    which have their own.
    """

    def __init__(
        self,
        credential: str,
        *,
        server: str = "",
        ca_file: str = "",
        insecure_skip_tls_verify: bool = False,
        connections: int = 16,
        timeout: float = 15.0,
    ) -> None:
        self._reference = credential
        self._timeout = timeout
        options = Options(server, ca_file, insecure_skip_tls_verify, connections, timeout)
        self._session = Session(parse(credential), options)
        self._calls = Calls(self._session)
        self._granted_at: dict[frozenset[ApiPermission], float] = {}

    def __repr__(self) -> str:
        return f"KubernetesClient({self._reference!r})"

    @property
    def counter(self) -> RequestCounter:
        """Requests sent so far by this client in this process."""
        return self._session.counter

    @property
    def session(self) -> Session:
        """The session, for the other verbs of this package that work through this client."""
        return self._session

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        bridge.run(self._session.close, self._timeout)

    # -- looking at the cluster --------------------------------------------------------------

    def version(self) -> str:
        """The server's version, such as `v1.37.2`."""
        return self.run(self._calls.version, self._timeout)

    def probe(self) -> KubernetesProbe:
        """Latency, version, who we are there, and what the cluster serves (5 requests)."""
        return self.run(self._calls.probe, self._timeout)

    def permissions(
        self, checks: Iterable[ApiPermission], *, recently: bool = False
    ) -> list[ApiPermission]:
        """Those of `checks` that we do NOT have; empty when all is well. `recently`: or was
        within GRANTED_SECONDS. Where something was missing, all is asked again each time."""
        wanted = list(checks)
        granted_at = self._granted_at.get(frozenset(wanted), float("-inf"))
        if recently and time.monotonic() - granted_at < GRANTED_SECONDS:
            return []

        async def go(deadline: float) -> list[ApiPermission]:
            allowed = await asyncio.gather(
                *(self._calls.is_allowed(check, deadline) for check in wanted)
            )
            return [check for check, yes in zip(wanted, allowed, strict=True) if not yes]

        missing = self.run(go, self._timeout)
        if not missing:
            self._granted_at[frozenset(wanted)] = time.monotonic()
        return missing

    # -- reading -----------------------------------------------------------------------------

    def list(
        self,
        kind: str,
        *,
        label_selector: str = "",
        field_selector: str = "",
        namespace: str | None = None,
        page: int = 500,
        timeout: float = 60.0,
        metadata_only: bool = False,
        keep: Callable[[Object], Object] | None = None,
    ) -> Objects:
        """All objects of a kind, read in pages; a list that expires half-way is begun anew.
        `metadata_only` leaves their bodies on the server; `keep` says what of each is kept when a
        page of them has come (each may be a megabyte)."""
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        headers = BARE if metadata_only else None

        async def go(deadline: float) -> Objects:
            return await self._calls.list_all(
                kind_of(kind), namespace, selectors, page, deadline, headers, keep
            )

        return self.run(go, timeout)

    def list_many(
        self,
        kinds: Sequence[str],
        *,
        label_selector: str = "",
        namespace: str | None = None,
        page: int = 500,
        timeout: float = 60.0,
    ) -> dict[str, Objects]:
        """Several kinds in parallel, keyed by kind name. The first failure is raised."""
        selectors = {"labelSelector": label_selector}

        async def go(deadline: float) -> dict[str, Objects]:
            lists = await asyncio.gather(
                *(
                    self._calls.list_all(kind_of(kind), namespace, selectors, page, deadline)
                    for kind in kinds
                )
            )
            return dict(zip(kinds, lists, strict=True))

        return self.run(go, timeout)

    def get(self, kind: str, name: str, *, namespace: str = "") -> Object:
        """One object. Raises NotFound."""
        place = ResourceName(kind_of(kind), namespace, name)
        return self.run(lambda end: self._calls.send("GET", place.path, f"get {place}", end))

    def events(
        self, namespace: str, *, field_selector: str = "", label_selector: str = ""
    ) -> Objects:
        """The Events of a namespace, e.g. field_selector `reason=FailedCreate`."""
        return self.list(
            "Event",
            namespace=namespace,
            field_selector=field_selector,
            label_selector=label_selector,
            timeout=self._timeout,
        )

    # -- writing -----------------------------------------------------------------------------

    def apply(
        self,
        manifest: Mapping[str, Any],
        field_manager: str,
        *,
        force: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply of one manifest; the object as stored.

        Conflict with `owners` {field path: manager} when another manager owns a field and `force`
        is false.
        """
        place = resource_name_of(manifest)
        query = apply_query(field_manager, force=force, dry_run=dry_run)
        return self.run(lambda end: self._calls.apply(place, manifest, query, end))

    def apply_many(
        self,
        manifests: Sequence[Mapping[str, Any]],
        field_manager: str,
        *,
        force: bool = False,
        dry_run: bool = False,
        concurrency: int = 16,
        timeout: float = 300.0,
        on_result: Callable[[AppliedObject], None] | None = None,
    ) -> Sequence[AppliedObject]:
        """Server-side apply of many manifests; one AppliedObject each, in the order of `manifests`.

        A Namespace goes before the objects inside it, all else runs side by side. Never raises for
        a single manifest: its AppliedObject carries the error, also when `timeout` is over or the
        target stops answering. `on_result` is called in the calling thread as results come in.
        """
        query = apply_query(field_manager, force=force, dry_run=dry_run)
        return ApplyMany(self._calls, manifests, query, on_result).run(concurrency, timeout)

    def patch_merge(
        self, kind: str, name: str, patch: Mapping[str, Any], *, namespace: str = ""
    ) -> Object:
        """JSON merge patch (null removes). For objects that are not ours to apply."""
        place = ResourceName(kind_of(kind), namespace, name)
        return self.run(
            lambda end: self._calls.send("PATCH", place.path, f"patch {place}", end, patch, MERGE)
        )

    def create(self, manifest: Mapping[str, Any]) -> Object:
        """Create an object (Jobs, for example); Conflict when it exists."""
        place = resource_name_of(manifest)
        path = place.kind.path(place.namespace)
        return self.run(
            lambda end: self._calls.send("POST", path, f"create {place}", end, manifest, JSON)
        )

    def delete(
        self,
        kind: str,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        propagation: str = "Background",
    ) -> bool:
        """Delete an object; False when there was none.

        With `uid` only that very object goes: Conflict when the name now belongs to another.
        """
        place = ResourceName(kind_of(kind), namespace, name)
        options: dict[str, Any] = {"propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}

        async def go(deadline: float) -> bool:
            try:
                await self._calls.send(
                    "DELETE", place.path, f"delete {place}", deadline, options, JSON
                )
            except NotFound:
                return False
            return True

        return self.run(go)

    # -- inside ------------------------------------------------------------------------------

    def run(
        self, call: Callable[[float], Coroutine[Any, Any, T]], timeout: float | None = None
    ) -> T:
        """Runs `call(deadline)` on the bridge's loop within `timeout` seconds (None: our own)."""
        bound = self._timeout if timeout is None else timeout

        async def go() -> T:
            return await call(asyncio.get_running_loop().time() + bound)

        return bridge.run(go, bound)
