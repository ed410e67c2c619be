"""What the server says about itself: versions, groups, resources."""

from deploy.emulators.kubernetes.kinds import (
    GROUPS,
    KINDS,
    VERBS,
    VERSIONS,
    Obj,
)

VERSION: Obj = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.2+emulated",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-11-22T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_REVIEWS = {
    "authorization.k8s.io": ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    "authentication.k8s.io": ("selfsubjectreviews", "SelfSubjectReview"),
}


def _group(name: str) -> Obj:
    number = VERSIONS.get(name, "v1")
    version = {"groupVersion": f"{name}/{number}", "version": number}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str) -> list[Obj]:
    rows: list[Obj] = []
    for kind in KINDS:
        if kind.group != group:
            continue
        row: Obj = {
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.name,
            "verbs": VERBS,
        }
        if kind.short_names:
            row["shortNames"] = list(kind.short_names)
        if kind.plural in ("pods", "services", "jobs"):
            row["categories"] = ["all"]
        rows.append(row)
        if kind.status:
            status = {**row, "name": f"{kind.plural}/status", "singularName": ""}
            status["verbs"] = ["get", "patch", "update"]
            status.pop("shortNames", None)
            status.pop("categories", None)
            rows.append(status)
    if group in _REVIEWS:
        plural, name = _REVIEWS[group]
        rows.append(
            {
                "name": plural,
                "singularName": name.lower(),
                "namespaced": False,
                "kind": name,
                "verbs": ["create"],
            }
        )
    return rows


def _documents() -> dict[str, Obj]:
    groups = [*_REVIEWS, *GROUPS]
    documents: dict[str, Obj] = {
        "/version": VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_group(name) for name in groups],
        },
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": _resources("")},
    }
    for name in groups:
        documents[f"/apis/{name}"] = {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}
        served = f"{name}/{VERSIONS.get(name, 'v1')}"
        documents[f"/apis/{served}"] = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": served,
            "resources": _resources(name),
        }
    return documents


def _aggregated(groups: tuple[str, ...]) -> Obj:
    """All resources of these groups in one document (apidiscovery.k8s.io/v2)."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_group_discovery(name) for name in groups],
    }


def _group_discovery(group: str) -> Obj:
    number = VERSIONS.get(group, "v1")
    resources = [
        {
            "resource": row["name"],
            "responseKind": {"group": group, "version": number, "kind": row["kind"]},
            "scope": "Namespaced" if row["namespaced"] else "Cluster",
            "singularResource": row["singularName"],
            "verbs": row["verbs"],
        }
        for row in _resources(group)
        if "/" not in row["name"]
    ]
    version = {"version": number, "resources": resources, "freshness": "Current"}
    metadata = {"name": group} if group else {}
    return {"metadata": metadata, "versions": [version]}


DOCUMENTS: dict[str, Obj] = _documents()
AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
AGGREGATED: dict[str, Obj] = {
    "/api": _aggregated(("",)),
    "/apis": _aggregated((*_REVIEWS, *GROUPS)),
}
PUBLIC = frozenset({"/version", "/healthz", "/livez", "/readyz"})
