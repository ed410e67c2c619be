"""What the client asks a cluster, as coroutines. `deadline` is in the loop's time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from console import lenient_json
from console.clients.contracts import ApiPermission, KubernetesProbe
from console.clients.kubernetes.kinds import Kind, ResourceName
from console.clients.kubernetes.session import Session
from console.errors import Refused, Unreachable
from console.unstructured import mapping, mappings, text

Object = dict[str, Any]
Objects = list[dict[str, Any]]

APPLY: Final = {"Content-Type": "application/apply-patch+yaml"}
MERGE: Final = {"Content-Type": "application/merge-patch+json"}
JSON: Final = {"Content-Type": "application/json"}
BARE: Final = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
"""Lists without bodies: metadata only."""
_DISCOVERY: Final = {
    "Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
}
LIST_RESTARTS: Final = 3
LONGEST_TOKEN: Final = 8192
LONGEST_TEXT: Final = 300


class Calls:
    """Requests to one API server, over its session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def send(
        self,
        method: str,
        path: str,
        what: str,
        deadline: float,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
    ) -> Object:
        data = None if body is None else _written(body, what)
        answer = await self._session.send(
            method, path, what=what, deadline=deadline, query=query, body=data, headers=headers
        )
        return _parsed(answer, what)

    async def apply(
        self, place: ResourceName, manifest: Mapping[str, Any], query: str, deadline: float
    ) -> Object:
        return await self.send(
            "PATCH", place.path, f"apply {place}", deadline, manifest, APPLY, query
        )

    async def list_all(
        self,
        kind: Kind,
        namespace: str | None,
        selectors: Mapping[str, str],
        page: int,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        keep: Callable[[Object], Object] | None = None,
    ) -> Objects:
        for _ in range(LIST_RESTARTS):
            try:
                return await self._pages(kind, namespace, selectors, page, deadline, headers, keep)
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
        headers: Mapping[str, str] | None,
        keep: Callable[[Object], Object] | None,
    ) -> Objects:
        objects: Objects = []
        params = {"limit": str(page), **{key: value for key, value in selectors.items() if value}}
        path, what = kind.path(namespace), f"list {kind.plural}"
        while True:
            query = urlencode(params)
            answer = await self.send("GET", path, what, deadline, headers=headers, query=query)
            items = mappings(answer.get("items"))
            objects += map(keep, items) if keep else items
            token = text(mapping(answer.get("metadata")).get("continue"), LONGEST_TOKEN)
            if not token:
                return objects
            if token == params.get("continue"):
                raise Unreachable(f"{what}: the list does not go on")
            params["continue"] = token

    async def version(self, deadline: float) -> str:
        answer = await self.send("GET", "/version", "read the version", deadline)
        return text(answer.get("gitVersion"), LONGEST_TEXT)

    async def probe(self, deadline: float) -> KubernetesProbe:
        version = await self.version(deadline)
        begun = time.perf_counter()
        await self.version(deadline)  # the first one paid for the connection
        latency = (time.perf_counter() - begun) * 1000
        core, grouped, user = await asyncio.gather(
            self.send("GET", "/api", "discover", deadline, headers=_DISCOVERY),
            self.send("GET", "/apis", "discover", deadline, headers=_DISCOVERY),
            self._user(deadline),
        )
        groups = frozenset(map(_name, mappings(grouped.get("items"))))
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
            answer = await self.send("POST", path, "ask who we are", deadline, body, JSON)
        except Refused:
            return ""  # before 1.28, or forbidden: worth no failed probe
        user = mapping(mapping(answer.get("status")).get("userInfo"))
        return text(user.get("username"), LONGEST_TEXT)

    async def is_allowed(self, check: ApiPermission, deadline: float) -> bool:
        plain, _, subresource = check.resource.partition("/")
        resource, _, group = plain.partition(".")
        attributes = {
            "verb": check.verb,
            "resource": resource,
            "group": group,
            "subresource": subresource,
            "namespace": check.namespace,
        }
        answer = await self.send(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            f"ask whether we may {check}",
            deadline,
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            },
            JSON,
        )
        return mapping(answer.get("status")).get("allowed") is True


def _written(body: Any, what: str) -> bytes:
    """A body as JSON; Refused where it holds what cannot be sent, such as an object of somebody
    else's that is nested too deep."""
    try:
        return orjson.dumps(body)
    except TypeError as problem:
        raise Refused(f"{what}: it cannot be sent: {problem}", code="invalid") from None


def _parsed(answer: bytes, what: str) -> Object:
    """A JSON object from an answer; Unreachable when something else (a proxy page) came."""
    try:
        value = lenient_json.loads(answer)
    except ValueError:
        raise Unreachable(f"{what}: the answer is not JSON") from None
    if not isinstance(value, dict):
        raise Unreachable(f"{what}: the answer is not an object")
    return value


def apply_query(field_manager: str, *, force: bool, dry_run: bool) -> str:
    params = {"fieldManager": field_manager, "force": "true" if force else "false"}
    if dry_run:
        params["dryRun"] = "All"
    return urlencode(params)


def _served(discovery: Mapping[str, Any]) -> Iterable[str]:
    """`v1/Pod`, `batch/v1/Job` … from an aggregated discovery document."""
    for group in mappings(discovery.get("items")):
        name = _name(group)
        for version in mappings(group.get("versions")):
            number = text(version.get("version"), LONGEST_TEXT)
            prefix = f"{name}/{number}" if name else number
            for resource in mappings(version.get("resources")):
                kind = text(mapping(resource.get("responseKind")).get("kind"), LONGEST_TEXT)
                if kind:
                    yield f"{prefix}/{kind}"


def _name(item: Mapping[str, Any]) -> str:
    return text(mapping(item.get("metadata")).get("name"), LONGEST_TEXT)
