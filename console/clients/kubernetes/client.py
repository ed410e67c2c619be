"""The Kubernetes client: sync methods, plain dicts, our own errors, bounded time.

Every method raises Unreachable, Throttled, Conflict, Refused or NotFound (console.errors) and
returns within its timeout (seconds). Safe from several threads and across forks.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import orjson

from console.clients import bridge
from console.clients.contracts import Applied, KubernetesProbe, Permission, RequestCounter
from console.clients.credentials import parse
from console.clients.kubernetes.kinds import Kind, Place, kind_of, place_of
from console.clients.kubernetes.pipeline import Pipeline
from console.clients.kubernetes.session import Options, Session, dump
from console.errors import ExternalError, NotFound, Refused, Unreachable

T = TypeVar("T")
Object = dict[str, Any]
Objects = list[dict[str, Any]]

_APPLY = {"Content-Type": "application/apply-patch+yaml"}
_MERGE = {"Content-Type": "application/merge-patch+json"}
_JSON = {"Content-Type": "application/json"}
_DISCOVERY = {
    "Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
}
LIST_RESTARTS: Final = 3


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

    def __repr__(self) -> str:
        return f"KubernetesClient({self._reference!r})"

    @property
    def counter(self) -> RequestCounter:
        """Requests sent so far by this client in this process."""
        return self._session.counter

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        bridge.run(self._session.close, self._timeout)

    # -- looking at the cluster --------------------------------------------------------------

    def version(self) -> str:
        """The server's version, such as `v1.37.2`."""
        return self._run(self._version, self._timeout)

    def probe(self) -> KubernetesProbe:
        """Latency, version, who we are there, and what the cluster serves (5 requests)."""
        return self._run(self._probe, self._timeout)

    def permissions(self, checks: Iterable[Permission]) -> list[Permission]:
        """Those of `checks` that we do NOT have; empty when all is well."""
        wanted = list(checks)

        async def go(deadline: float) -> list[Permission]:
            allowed = await asyncio.gather(*(self._allowed(check, deadline) for check in wanted))
            return [check for check, yes in zip(wanted, allowed, strict=True) if not yes]

        return self._run(go, self._timeout)

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
    ) -> Objects:
        """All objects of a kind, read in pages; a list that expires half-way is begun anew."""
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}

        async def go(deadline: float) -> Objects:
            return await self._list(kind_of(kind), namespace, selectors, page, deadline)

        return self._run(go, timeout)

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
            found = await asyncio.gather(
                *(self._list(kind_of(kind), namespace, selectors, page, deadline) for kind in kinds)
            )
            return dict(zip(kinds, found, strict=True))

        return self._run(go, timeout)

    def get(self, kind: str, name: str, *, namespace: str = "") -> Object:
        """One object. Raises NotFound."""
        place = Place(kind_of(kind), namespace, name)
        return self._run(lambda end: self._json("GET", place.path, f"get {place}", end))

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
        place = place_of(manifest)
        query = _apply_query(field_manager, force=force, dry_run=dry_run)
        return self._run(lambda end: self._apply(place, manifest, query, end))

    def apply_many(
        self,
        manifests: Sequence[Mapping[str, Any]],
        field_manager: str,
        *,
        force: bool = False,
        dry_run: bool = False,
        concurrency: int = 16,
        timeout: float = 300.0,
        on_result: Callable[[Applied], None] | None = None,
    ) -> Sequence[Applied]:
        """Server-side apply of many manifests; one Applied each, in the order of `manifests`.

        A Namespace goes before the objects inside it, all else runs side by side. Never raises for
        a single manifest: its Applied carries the error, also when `timeout` is over or the target
        stops answering. `on_result` is called in the calling thread as results come in.
        """
        query = _apply_query(field_manager, force=force, dry_run=dry_run)
        results: list[Applied | None] = [None] * len(manifests)
        arrived: queue.SimpleQueue[int | None] = queue.SimpleQueue()

        def report(index: int, result: Applied) -> None:
            results[index] = result
            if on_result is not None:  # waking the caller for nothing costs a tenth of the speed
                arrived.put(index)

        async def go() -> None:
            deadline = asyncio.get_running_loop().time() + timeout
            try:
                async with asyncio.timeout(timeout):
                    await Pipeline(
                        manifests, lambda place, one: self._apply(place, one, query, deadline), report
                    ).run(concurrency)
            except TimeoutError:
                pass  # what has no result yet is reported as unreachable below
            finally:
                arrived.put(None)

        future = bridge.submit(go())
        self._hand_over(arrived, results, on_result, timeout + bridge.GRACE)
        if future.done():
            future.result()  # a programming error in the pipeline must not pass silently
        else:
            future.cancel()
        return [
            result if result is not None else _unfinished(manifest, timeout)
            for manifest, result in zip(manifests, results, strict=True)
        ]

    def patch_merge(
        self, kind: str, name: str, patch: Mapping[str, Any], *, namespace: str = ""
    ) -> Object:
        """JSON merge patch (null removes). For objects that are not ours to apply."""
        place = Place(kind_of(kind), namespace, name)
        return self._run(
            lambda end: self._json("PATCH", place.path, f"patch {place}", end, patch, _MERGE)
        )

    def create(self, manifest: Mapping[str, Any]) -> Object:
        """Create an object (Jobs, for example); Conflict when it exists."""
        place = place_of(manifest)
        path = place.kind.path(place.namespace)
        return self._run(
            lambda end: self._json("POST", path, f"create {place}", end, manifest, _JSON)
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
        place = Place(kind_of(kind), namespace, name)
        options: dict[str, Any] = {"propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}

        async def go(deadline: float) -> bool:
            try:
                await self._json("DELETE", place.path, f"delete {place}", deadline, options, _JSON)
            except NotFound:
                return False
            return True

        return self._run(go)

    # -- inside ------------------------------------------------------------------------------

    def _run(
        self, call: Callable[[float], Coroutine[Any, Any, T]], timeout: float | None = None
    ) -> T:
        bound = self._timeout if timeout is None else timeout

        async def go() -> T:
            return await call(asyncio.get_running_loop().time() + bound)

        return bridge.run(go, bound)

    async def _json(
        self,
        method: str,
        path: str,
        what: str,
        deadline: float,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
    ) -> Object:
        data = None if body is None else dump(body)
        answer = await self._session.send(
            method, path, what=what, deadline=deadline, query=query, body=data, headers=headers
        )
        return parsed(answer, what)

    async def _apply(
        self, place: Place, manifest: Mapping[str, Any], query: str, deadline: float
    ) -> Object:
        return await self._json(
            "PATCH", place.path, f"apply {place}", deadline, manifest, _APPLY, query
        )

    async def _list(
        self,
        kind: Kind,
        namespace: str | None,
        selectors: Mapping[str, str],
        page: int,
        deadline: float,
    ) -> Objects:
        for _ in range(LIST_RESTARTS):
            try:
                return await self._pages(kind, namespace, selectors, page, deadline)
            except Refused as refused:
                if refused.code != "expired":
                    raise
        raise Unreachable(f"list {kind.plural}: the list expired {LIST_RESTARTS} times")

    async def _pages(
        self,
        kind: Kind,
        namespace: str | None,
        selectors: Mapping[str, str],
        page: int,
        deadline: float,
    ) -> Objects:
        objects: Objects = []
        params = {"limit": str(page), **{key: value for key, value in selectors.items() if value}}
        path, what = kind.path(namespace), f"list {kind.plural}"
        while True:
            answer = await self._json("GET", path, what, deadline, query=urlencode(params))
            objects += answer.get("items") or []
            token = answer.get("metadata", {}).get("continue")
            if not token:
                return objects
            params["continue"] = token

    async def _version(self, deadline: float) -> str:
        answer = await self._json("GET", "/version", "read the version", deadline)
        return str(answer.get("gitVersion", ""))

    async def _probe(self, deadline: float) -> KubernetesProbe:
        version = await self._version(deadline)
        begun = time.perf_counter()
        await self._version(deadline)  # the first one paid for the connection
        latency = (time.perf_counter() - begun) * 1000
        core, grouped, user = await asyncio.gather(
            self._json("GET", "/api", "discover", deadline, headers=_DISCOVERY),
            self._json("GET", "/apis", "discover", deadline, headers=_DISCOVERY),
            self._user(deadline),
        )
        groups = frozenset(
            item["metadata"]["name"] for item in grouped.get("items", []) if "metadata" in item
        )
        kinds = frozenset(_served(core)) | frozenset(_served(grouped))
        return KubernetesProbe(
            latency_ms=round(latency, 2),
            version=version,
            user=user,
            groups=groups,
            kinds=kinds,
            mutating_admission_policy=(
                "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" in kinds
            ),
        )

    async def _user(self, deadline: float) -> str:
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = await self._json("POST", path, "ask who we are", deadline, body, _JSON)
        except Refused:
            return ""  # before 1.28, or forbidden: worth no failed probe
        return str(answer.get("status", {}).get("userInfo", {}).get("username", ""))

    async def _allowed(self, check: Permission, deadline: float) -> bool:
        plain, _, subresource = check.resource.partition("/")
        resource, _, group = plain.partition(".")
        attributes = {
            "verb": check.verb,
            "resource": resource,
            "group": group,
            "subresource": subresource,
            "namespace": check.namespace,
        }
        answer = await self._json(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            f"ask whether we may {check}",
            deadline,
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            },
            _JSON,
        )
        return bool(answer.get("status", {}).get("allowed", False))

    @staticmethod
    def _hand_over(
        arrived: queue.SimpleQueue[int | None],
        results: Sequence[Applied | None],
        on_result: Callable[[Applied], None] | None,
        timeout: float,
    ) -> None:
        """Call `on_result` for what arrives, until the run has ended or the time is over."""
        end = time.monotonic() + timeout
        while True:
            try:
                index = arrived.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return
            if index is None:
                return
            result = results[index]
            if on_result is not None and result is not None:
                on_result(result)


def parsed(answer: bytes, what: str) -> Object:
    """A JSON object from an answer; Unreachable when something else (a proxy page) came."""
    try:
        value = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raise Unreachable(f"{what}: the answer is not JSON") from None
    if not isinstance(value, dict):
        raise Unreachable(f"{what}: the answer is not an object")
    return value


def _apply_query(field_manager: str, *, force: bool, dry_run: bool) -> str:
    params = {"fieldManager": field_manager, "force": "true" if force else "false"}
    if dry_run:
        params["dryRun"] = "All"
    return urlencode(params)


def _served(discovery: Mapping[str, Any]) -> Iterable[str]:
    """`v1/Pod`, `batch/v1/Job` … from an aggregated discovery document."""
    for group in discovery.get("items", []):
        name = group.get("metadata", {}).get("name", "")
        for version in group.get("versions", []):
            prefix = f"{name}/{version['version']}" if name else version["version"]
            for resource in version.get("resources", []):
                yield f"{prefix}/{resource['responseKind']['kind']}"


def _unfinished(manifest: Mapping[str, Any], timeout: float) -> Applied:
    metadata = manifest.get("metadata") or {}
    error: ExternalError = Unreachable(f"not applied within {timeout:g} s")
    return Applied(
        str(manifest.get("kind", "")),
        str(metadata.get("namespace", "")),
        str(metadata.get("name", "")),
        error=error,
    )
