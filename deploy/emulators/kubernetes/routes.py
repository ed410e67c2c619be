"""From a URL and its parameters to a verb on a resource, and back to an answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from deploy.emulators.kubernetes import tables
from deploy.emulators.kubernetes.access import (
    Access,
    Attributes,
    User,
    review_access,
    review_self,
)
from deploy.emulators.kubernetes.bodies import Target, now
from deploy.emulators.kubernetes.codec import (
    decode,
    decode_yaml,
    limit,
    listed,
    read_token,
    token,
)
from deploy.emulators.kubernetes.errors import (
    ApiError,
    Cause,
    expired,
    invalid_options,
    no_such_path,
)
from deploy.emulators.kubernetes.kinds import BY_URL, NAMESPACE, Obj
from deploy.emulators.kubernetes.resources import Resources
from deploy.emulators.kubernetes.selectors import by_fields, by_labels

APPLY = "application/apply-patch+yaml"
_PATCHES = {
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    APPLY,
    "application/apply-patch+json",
}
_WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_REVIEWS = {
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
}
_REQUIRED = Cause(
    "fieldManager", "FieldValueRequired", "Required value: is required for apply patch"
)
_NO_FORCE = Cause(
    "force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch"
)


_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Call:
    """A parsed request; `verb` is Kubernetes' own (get, list, watch, create, …)."""

    verb: str
    target: Target
    query: dict[str, str]
    content_type: str = ""
    accept: str = ""
    body: bytes = b""

    @property
    def resource(self) -> str:
        """The resource as roles name it: `pods`, `resourcequotas/status`."""
        part = f"/{self.target.subresource}" if self.target.subresource else ""
        return self.target.kind.plural + part


def parse_path(path: str) -> Target:
    """Return the kind, namespace, name and subresource of a URL; raises ApiError 404."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    group, rest = "", parts[2:]
    if parts[0] == "apis" and len(parts) > 3:
        group, rest = parts[1], parts[3:]
        version = parts[2]
    elif parts[0] == "api" and len(parts) > 2:
        version = parts[1]
    else:
        raise no_such_path()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = BY_URL.get((group, rest[0]))
    if (
        kind is None
        or version != kind.version
        or len(rest) > 3
        or (namespace and not kind.namespaced)
    ):
        raise no_such_path()
    name, subresource = [*rest[1:], "", ""][:2]
    if subresource and not (subresource == "status" and kind.status):
        raise no_such_path()
    if kind.namespaced and name and not namespace:
        raise no_such_path()
    return Target(kind, namespace, name, subresource)


def verb_of(method: str, target: Target, query: dict[str, str]) -> str:
    """Return Kubernetes' verb for a request; raises ApiError 405."""
    if method == "GET":
        if query.get("watch", "").lower() in ("1", "true"):
            return "watch"
        return "get" if target.name else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    if method not in _WRITES or bool(target.name) is (method == "POST"):
        message = "the server does not allow this method on the requested resource"
        raise ApiError(405, "MethodNotAllowed", message, details={})
    return _WRITES[method]


def attributes(call: Call) -> Attributes:
    """Return what the caller needs to be allowed."""
    target = call.target
    space = target.name if target.kind is NAMESPACE else target.namespace
    return Attributes(call.verb, target.kind.group, call.resource, space, target.name)


class Router:
    """Answers parsed requests other than watches."""

    def __init__(self, resources: Resources, access: Access) -> None:
        self.resources = resources
        self.access = access
        self._verbs: dict[str, Callable[[Call], tuple[int, Obj]]] = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_all,
        }

    def review(self, path: str, user: User, body: bytes) -> Obj | None:
        """Answer a self review; None for another path. Raises ApiError 400 or 415."""
        if path not in _REVIEWS:
            return None
        review = decode(body)
        is_access = path.endswith("accessreviews")
        return review_access(self.access, user, review) if is_access else review_self(user)

    def check(self, user: User, call: Call) -> None:
        """Raise ApiError 403 unless the user may make this call."""
        self.access.check(user, call.target.kind, attributes(call))

    def answer(self, call: Call) -> tuple[int, Obj]:
        """Return (HTTP status, body); raises ApiError."""
        return self._verbs[call.verb](call)

    def _get(self, call: Call) -> tuple[int, Obj]:
        obj = self.resources.get(call.target)
        if tables.is_wanted(call.accept):
            return 200, tables.render(call.target.kind, [obj], {}, now())
        return 200, obj

    def selects(self, call: Call) -> Callable[[Obj], bool] | None:
        """Return the test of the call's selectors; None when there are none."""
        labels, fields = call.query.get("labelSelector"), call.query.get("fieldSelector")
        tests = []
        if labels:
            tests.append(by_labels(labels))
        if fields:
            tests.append(by_fields(fields, call.target.kind.name))
        if call.target.name:
            name = call.target.name
            tests.append(lambda obj: obj["metadata"]["name"] == name)
        return (lambda obj: all(test(obj) for test in tests)) if tests else None

    def _page(self, call: Call) -> tuple[list[Obj], Obj]:
        store, target = self.resources.store, call.target
        size = limit(call.query.get("limit", ""))
        version, start = store.version, ""
        if call.query.get("continue"):
            version, start = read_token(call.query["continue"])
            if version < store.compacted:
                raise expired(_TOO_OLD)
        selects = self.selects(call)
        matching = [
            (key, obj)
            for key, obj in store.ordered(target.kind, target.namespace)
            if key > start and (selects is None or selects(obj))
        ]
        metadata: Obj = {"resourceVersion": str(version)}
        if size and len(matching) > size:
            metadata["continue"] = token(version, matching[size - 1][0])
            if selects is None:
                metadata["remainingItemCount"] = len(matching) - size
            matching = matching[:size]
        return [obj for _, obj in matching], metadata

    def _list(self, call: Call) -> tuple[int, Obj]:
        kind = call.target.kind
        objects, metadata = self._page(call)
        if tables.is_wanted(call.accept):
            return 200, tables.render(kind, objects, metadata, now())
        if tables.is_bare(call.accept):
            return 200, tables.bare(objects, metadata)
        return 200, listed(kind, objects, metadata)

    def _create(self, call: Call) -> tuple[int, Obj]:
        return 201, self.resources.create(call.target, decode(call.body, call.target.kind))

    def _update(self, call: Call) -> tuple[int, Obj]:
        return 200, self.resources.replace(call.target, decode(call.body, call.target.kind))

    def _patch(self, call: Call) -> tuple[int, Obj]:
        sort = call.content_type
        if sort not in _PATCHES:
            message = "415: Unsupported Media Type"
            raise ApiError(415, "UnsupportedMediaType", message, details={})
        force = call.query.get("force")
        if "apply-patch" in sort:
            if not call.query.get("fieldManager"):
                raise invalid_options(_REQUIRED)
            config = decode_yaml(call.body)
            obj, is_new = self.resources.apply(call.target, config, force=force in ("true", "1"))
            return 201 if is_new else 200, obj
        if force:
            raise invalid_options(_NO_FORCE)
        patch = decode(call.body)
        if sort == "application/json-patch+json":
            return 200, self.resources.operate(call.target, patch)
        return 200, self.resources.merge(call.target, patch)

    def _options(self, call: Call) -> Obj:
        options: Obj = decode(call.body) if call.body.strip() else {}
        if "propagationPolicy" in call.query:
            options["propagationPolicy"] = call.query["propagationPolicy"]
        return options

    def _delete(self, call: Call) -> tuple[int, Obj]:
        return 200, self.resources.delete(call.target, self._options(call))

    def _delete_all(self, call: Call) -> tuple[int, Obj]:
        objects, metadata = self._page(call)
        options = self._options(call)
        for obj in objects:
            own = obj["metadata"]
            target = replace(call.target, name=own["name"], namespace=own.get("namespace", ""))
            self.resources.delete(target, options)
        return 200, listed(call.target.kind, objects, metadata)
