"""A plain client and shorthands for the suite over the emulator and a real control plane."""

import json
import ssl
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from tests.waiting import PATIENCE, until

Json = dict[str, Any]
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
GROUPS = {
    "Job": "/apis/batch/v1",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1",
}


class Api:
    """Plain HTTP to one server, as one user; every call is inside one namespace."""

    def __init__(self, url: str, token: str, namespace: str) -> None:
        self.url = url
        self.token = token
        self.namespace = namespace

    def call(self, method: str, path: str, body: object = None, sort: str = "") -> tuple[int, Any]:
        """Return (HTTP status, answer); a watch's lines come as a list."""
        address = urlsplit(self.url)
        if address.scheme == "https":
            trusting = ssl._create_unverified_context()  # noqa: S323 - our own server on loopback
            link: HTTPConnection = HTTPSConnection(
                address.hostname or "", address.port, context=trusting, timeout=PATIENCE
            )
        else:
            link = HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": sort or "application/json",
            "User-Agent": "suite/1",
        }
        payload = None if body is None else json.dumps(body)
        try:
            link.request(method, path, payload, headers)
            answer = link.getresponse()
            lines = [json.loads(line) for line in answer.read().splitlines()]
            return answer.status, lines[0] if len(lines) == 1 and "watch=" not in path else lines
        finally:
            link.close()

    def path(self, plural: str, name: str = "", query: str = "", kind: str = "") -> str:
        """Return the URL of a collection or an object of the namespace."""
        prefix = GROUPS.get(kind, "/api/v1")
        tail = f"/{name}" if name else ""
        return f"{prefix}/namespaces/{self.namespace}/{plural}{tail}{query}"

    def post(self, plural: str, body: Json, query: str = "", kind: str = "") -> tuple[int, Json]:
        """Create."""
        return self.call("POST", self.path(plural, query=query, kind=kind), body)

    def get(self, plural: str, name: str = "", query: str = "", kind: str = "") -> Json:
        """Read something that is there."""
        status, answer = self.call("GET", self.path(plural, name, query, kind))
        assert status == 200, answer
        body: Json = answer
        return body

    def apply(
        self, name: str, manager: str, hard: dict[str, Any] | None, query: str = "", **meta: Any
    ) -> tuple[int, Json]:
        """Apply a ResourceQuota server-side."""
        body = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": name, **meta},
            **({} if hard is None else {"spec": {"hard": hard}}),
        }
        path = self.path("resourcequotas", name, f"?fieldManager={manager}{query}")
        return self.call("PATCH", path, body, APPLY)


def quota(api: Api, name: str, hard: dict[str, str], **spec: Any) -> None:
    """Create a quota and wait until it is enforced."""
    status, answer = api.post(
        "resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}}
    )
    assert status == 201, answer
    until(lambda: api.get("resourcequotas", name).get("status", {}).get("used"))


def pod(name: str, requests: dict[str, str] | None = None, **spec: Any) -> Json:
    resources = {"requests": requests} if requests else {}
    container = {"name": "c", "image": "x", "resources": resources}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def fields_of(obj: Json, manager: str, operation: str) -> Json | None:
    """Return the fields of a manager; None when it owns nothing."""
    for entry in obj["metadata"].get("managedFields", ()):
        who = (entry["manager"], entry["operation"], entry.get("subresource"))
        if who == (manager, operation, None):
            fields: Json = entry["fieldsV1"]
            return fields
    return None
