"""What the client asks a cluster, as coroutines. `deadline` is in the loop's time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from console import lenient_json
from console.clients.contracts import ApiPermission, KubernetesProbe
from console.clients.kubernetes.kinds import Kind, ResourceName
from console.clients.kubernetes.session import Session
from console.errors import Refused, Unreachable

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
        data = None if body is None else orjson.dumps(body)
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
    ) -> Objects:
        for _ in range(LIST_RESTARTS):
            try:
                return await self._pages(kind, namespace, selectors, page, deadline, headers)
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
    ) -> Objects:
        objects: Objects = []
        params = {"limit": str(page), **{key: value for key, value in selectors.items() if value}}
        path, what = kind.path(namespace), f"list {kind.plural}"
        while True:
            query = urlencode(params)
            answer = await self.send("GET", path, what, deadline, headers=headers, query=query)
            objects += answer.get("items") or []
            token = answer.get("metadata", {}).get("continue")
            if not token:
                return objects
            params["continue"] = token

    async def version(self, deadline: float) -> str:
        answer = await self.send("GET", "/version", "read the version", deadline)
        return str(answer.get("gitVersion", ""))

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
            answer = await self.send("POST", path, "ask who we are", deadline, body, JSON)
        except Refused:
            return ""  # before 1.28, or forbidden: worth no failed probe
        return str(answer.get("status", {}).get("userInfo", {}).get("username", ""))

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
        return bool(answer.get("status", {}).get("allowed", False))


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
    for group in discovery.get("items", []):
        name = group.get("metadata", {}).get("name", "")
        for version in group.get("versions", []):
            prefix = f"{name}/{version['version']}" if name else version["version"]
            for resource in version.get("resources", []):
                yield f"{prefix}/{resource['responseKind']['kind']}"
