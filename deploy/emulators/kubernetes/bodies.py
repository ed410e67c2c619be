"""What a request is about, and checks of its body before anything is read or written."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.emulators.kubernetes import defaults
from deploy.emulators.kubernetes.errors import bad_request, cannot_fulfil
from deploy.emulators.kubernetes.kinds import Kind, Obj

CONTROLLER = "kube-controller-manager"
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about, and who writes."""

    kind: Kind
    namespace: str
    name: str = ""
    subresource: str = ""
    manager: str = CONTROLLER
    verb: str = ""
    dry_run: bool = False


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Return a moment as Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def suffix() -> str:
    """Return five random letters, as generated names end."""
    return "".join(random.choices(_SUFFIX_LETTERS, k=5))


def content(obj: Obj) -> Obj:
    """Return what `generation` counts changes of."""
    return {
        key: value
        for key, value in obj.items()
        if key not in ("metadata", "status", "kind", "apiVersion")
    }


def namespaced(target: Target, body: Obj) -> Obj:
    """Return the body with the namespace of the URL."""
    metadata = dict(body.get("metadata") or {})
    if target.kind.namespaced:
        metadata["namespace"] = target.namespace
    else:
        metadata.pop("namespace", None)
    return {**body, "metadata": metadata}


def identified(target: Target, body: Any) -> Obj:
    """Return a copy of a body as an object of the target's kind and namespace."""
    kind = target.kind
    if not isinstance(body, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.name})")
    name = body.get("kind") or kind.name
    if name != kind.name:
        raise bad_request(
            f'{name} in version "v1" cannot be handled as a {kind.name}: converting (v1.{name}) '
            f"to ({kind.group or 'core'}.{kind.name}): unknown conversion"
        )
    namespace = (body.get("metadata") or {}).get("namespace")
    if target.kind.namespaced and namespace and namespace != target.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    obj = defaults.copied(namespaced(target, body))
    return {"kind": kind.name, "apiVersion": kind.api_version, **obj}


def check_config(target: Target, config: Any) -> None:
    """Raise ApiError 400 unless a configuration is for this target."""
    kind = target.kind
    config = config if isinstance(config, dict) else {}
    version, name = config.get("apiVersion", ""), config.get("kind", "")
    if (version, name) != (kind.api_version, kind.name):
        shown = version if "/" in version else f"/{version}"
        raise bad_request(f"invalid object type: {shown}, Kind={name}")
    metadata = config.setdefault("metadata", {})
    body_name = metadata.setdefault("name", target.name)
    if body_name != target.name:
        raise bad_request(
            f"the name of the object ({body_name}) does not match the name on the URL "
            f"({target.name})"
        )
    if metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    space = metadata.get("namespace")
    if kind.namespaced and space and space != target.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def keep_identity(target: Target, old: Obj, new: Obj) -> None:
    """What a client cannot change stays as it was."""
    for key in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "managedFields"):
        new["metadata"].pop(key, None)
        if key in old["metadata"]:
            new["metadata"][key] = old["metadata"][key]
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    if target.subresource:
        status = new.get("status") or {}
        new.clear()
        new.update(defaults.copied(old))
        new["status"] = status
    elif target.kind.status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = defaults.copied(old["status"])


def check_preconditions(kind: Kind, metadata: Obj, wanted: Obj) -> None:
    """Raise ApiError 409 unless the object is the one that the client means."""
    for key, noun in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        expected, actual = wanted.get(key), metadata[key]
        if expected not in (None, actual):
            words = (
                f"the {noun} in the precondition ({expected}) does not match the {noun} in record "
                f"({actual}). The object might have been deleted and then recreated"
            )
            named = Kind("", kind.name, kind.name)
            raise cannot_fulfil(named, metadata["name"], words)
