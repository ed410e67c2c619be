"""Who is asking, and what the roles let them do."""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.emulators.kubernetes.errors import ApiError, forbidden, unauthorized
from deploy.emulators.kubernetes.kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    RBAC,
    ROLE,
    ROLE_BINDING,
    Kind,
    Obj,
)
from deploy.emulators.kubernetes.store import Store

MASTERS = "system:masters"
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]


@dataclass(frozen=True, slots=True)
class User:
    """A line of the token file: a name and its groups."""

    name: str
    groups: tuple[str, ...] = ()


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked for: a verb on a resource, in a namespace or ("") over the cluster."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Obj:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _built_in() -> dict[str, list[Obj]]:
    core = ["configmaps", "persistentvolumeclaims", "pods", "serviceaccounts", "services"]
    watched = ["events", "limitranges", "namespaces", "resourcequotas"]
    statuses = ["pods/log", "pods/status", "resourcequotas/status", "namespaces/status"]
    view = [
        _rule([""], [*core, *watched, *statuses, "persistentvolumeclaims/status"], _READ),
        _rule(["batch"], ["jobs", "jobs/status", "cronjobs"], _READ),
        _rule(["networking.k8s.io"], ["networkpolicies", "ingresses"], _READ),
    ]
    edit = [
        *view,
        _rule([""], [*core, "secrets"], [*_READ, *_WRITE]),
        _rule(["batch"], ["jobs", "cronjobs"], _WRITE),
        _rule(["networking.k8s.io"], ["networkpolicies", "ingresses"], _WRITE),
    ]
    admin = [*edit, _rule([RBAC], ["roles", "rolebindings"], [*_READ, *_WRITE])]
    everything = [_rule(["*"], ["*"], ["*"])]
    return {"view": view, "edit": edit, "admin": admin, "cluster-admin": everything}


def built_in_roles() -> Iterator[Obj]:
    """Yield the ClusterRoles that every cluster has."""
    for name, rules in _built_in().items():
        yield {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
            "rules": rules,
        }


class Access:
    """Authentication by bearer token, authorization by RBAC over the stored roles."""

    def __init__(self, store: Store, tokens: dict[str, User]) -> None:
        self._store = store
        self.tokens = tokens

    def user(self, authorization: str) -> User:
        """Return the user of an Authorization header; raises ApiError 401."""
        scheme, _, token = authorization.partition(" ")
        if not token.strip():
            return ANONYMOUS
        user = self.tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if not user:
            raise unauthorized()
        return user

    def check(self, user: User, kind: Kind, wanted: Attributes) -> None:
        """Raise ApiError 403 in the server's words unless the user may."""
        if MASTERS in user.groups or self.reason(user, wanted):
            return
        raise forbidden(kind, wanted.name, _refusal(user, wanted))

    def check_path(self, user: User, path: str) -> None:
        """Raise ApiError 403 for a path that only authenticated users may read."""
        if user is ANONYMOUS:
            message = f'forbidden: User "{user.name}" cannot get path "{path}"'
            raise ApiError(403, "Forbidden", message, details={})

    def reason(self, user: User, wanted: Attributes) -> str:
        """Return why RBAC allows this; empty when it does not."""
        for kind, spaces in ((CLUSTER_ROLE_BINDING, [""]), (ROLE_BINDING, [wanted.namespace])):
            for space in spaces:
                if kind.namespaced and not space:
                    continue
                for binding in self._store.in_namespace(kind, space):
                    reason = self._bound(user, wanted, kind, binding)
                    if reason:
                        return reason
        return ""

    def _bound(self, user: User, wanted: Attributes, kind: Kind, binding: Obj) -> str:
        subject = next(
            (
                candidate
                for candidate in binding.get("subjects") or ()
                if _is_subject(user, candidate)
            ),
            None,
        )
        if subject is None:
            return ""
        role = binding["roleRef"]
        role_kind, space = CLUSTER_ROLE, ""
        if role["kind"] == "Role":
            role_kind, space = ROLE, wanted.namespace
        bound_role = self._store.get(role_kind, space, role["name"])
        if not bound_role or not any(
            _allows(rule, wanted) for rule in bound_role.get("rules") or ()
        ):
            return ""
        where = f"/{binding['metadata']['namespace']}" if kind.namespaced else ""
        return (
            f'RBAC: allowed by {kind.name} "{binding["metadata"]["name"]}{where}" of '
            f'{role["kind"]} "{role["name"]}" to {subject["kind"]} "{subject["name"]}"'
        )


def _is_subject(user: User, subject: Obj) -> bool:
    if subject["kind"] == "Group":
        return subject["name"] in user.groups or subject["name"] == "system:authenticated"
    return bool(subject["kind"] == "User" and subject["name"] == user.name)


def _allows(rule: Obj, wanted: Attributes) -> bool:
    def holds(key: str, value: str) -> bool:
        listed = rule.get(key) or ()
        return "*" in listed or value in listed

    names = rule.get("resourceNames")
    is_named = not names or wanted.name in names
    return (
        is_named
        and holds("verbs", wanted.verb)
        and holds("apiGroups", wanted.group)
        and holds("resources", wanted.resource)
    )


def _refusal(user: User, wanted: Attributes) -> str:
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    return (
        f'User "{user.name}" cannot {wanted.verb} resource "{wanted.resource}" in API group '
        f'"{wanted.group}" {where}'
    )


def review_access(access: Access, user: User, body: Obj) -> Obj:
    """Answer a SelfSubjectAccessReview."""
    attributes = (body.get("spec") or {}).get("resourceAttributes") or {}
    resource = attributes.get("resource", "")
    if attributes.get("subresource"):
        resource += "/" + attributes["subresource"]
    wanted = Attributes(
        attributes.get("verb", ""),
        attributes.get("group", ""),
        resource,
        attributes.get("namespace", ""),
        attributes.get("name", ""),
    )
    status: Obj = {"allowed": True}
    if MASTERS not in user.groups:
        reason = access.reason(user, wanted)
        status = {"allowed": bool(reason), **({"reason": reason} if reason else {})}
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": body.get("spec") or {},
        "status": status,
    }


def review_self(user: User) -> Obj:
    """Answer a SelfSubjectReview ("who am I")."""
    groups = [*user.groups, *([] if user is ANONYMOUS else ["system:authenticated"])]
    return {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {},
        "status": {"userInfo": {"username": user.name, "groups": groups}},
    }
