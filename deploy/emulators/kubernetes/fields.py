"""Sets of fields as server-side apply sees them: which fields an object has, and what differs.

A set is a frozenset of paths; a path is a tuple of `f:NAME`, `k:{"name":"c"}` (an item of a list
with keys) and `v:"x"` (a member of a set), as in the `fieldsV1` of managedFields.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from deploy.emulators.kubernetes.kinds import Obj

Path = tuple[str, ...]
FieldSet = frozenset[Path]

# Lists whose items are known by keys, by (field, its parent or "" for any).
_KEYED: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "matchConditions": ("name",),
    "secrets": ("name",),
    "podIPs": ("ip",),
    "hostIPs": ("ip",),
    "hostAliases": ("ip",),
    "resourceClaims": ("name",),
    "ports": ("port", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
_CONTAINER_PORTS = ("containerPort", "protocol")
_KEY_DEFAULTS = {"protocol": "TCP"}
_SETS = frozenset({"finalizers"})
_WHOLE = frozenset(
    {
        "fieldRef",
        "involvedObject",
        "labelSelector",
        "matchConstraints",
        "matchResources",
        "namespaceSelector",
        "nodeSelector",
        "objectSelector",
        "paramKind",
        "paramRef",
        "podSelector",
        "resourceFieldRef",
        "roleRef",
        "scopeSelector",
        "secretKeyRef",
        "configMapKeyRef",
        "selector",
    }
)
# Go structs that are no pointers: they are always there, so nobody owns their bare existence.
_ALWAYS = frozenset(
    {"f:metadata", "f:spec", "f:status", "f:template", "f:containers", "f:strategy"}
)
_CLAIM_RESOURCES = ("f:spec", "f:resources")
_UNOWNED_METADATA = frozenset(
    {
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    }
)
_MISSING: Any = object()


def owned_part(obj: Obj, subresource: str) -> Obj:
    """Return the part of an object that managers can own by this endpoint."""
    part = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}
    if subresource:
        return {"status": part["status"]} if "status" in part else {}
    part.pop("status", None)
    metadata = part.get("metadata") or {}
    kept = {key: value for key, value in metadata.items() if key not in _UNOWNED_METADATA}
    part["metadata"] = kept
    if not kept:
        del part["metadata"]
    return part


def list_keys(name: str, items: list[Any]) -> tuple[str, ...]:
    """Return the keys of a list's items; empty for a list that is one value."""
    keys = _KEYED.get(name, ())
    if name == "ports" and any(
        isinstance(item, dict) and "containerPort" in item for item in items
    ):
        keys = _CONTAINER_PORTS
    known = all(
        isinstance(item, dict) and all(key in item or key in _KEY_DEFAULTS for key in keys)
        for item in items
    )
    return keys if known else ()


def is_set(name: str) -> bool:
    """Tell whether a list of scalars is owned member by member."""
    return name in _SETS


def is_whole(name: str) -> bool:
    """Tell whether a map is owned as one value."""
    return name in _WHOLE


def item_step(item: Obj, keys: tuple[str, ...]) -> str:
    """Return the path step of an item in a list with keys."""
    values = {key: item.get(key, _KEY_DEFAULTS.get(key)) for key in keys}
    return "k:" + orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()


def member_step(value: object) -> str:
    """Return the path step of a member of a set."""
    return "v:" + orjson.dumps(value).decode()


def steps(name: str, value: Any) -> list[tuple[str, str, Any]] | None:
    """Return (step, child's name, child) below a value; None for a value owned as one."""
    if isinstance(value, dict) and not is_whole(name):
        return [("f:" + key, key, child) for key, child in value.items()]
    if isinstance(value, list):
        if is_set(name):
            return [(member_step(item), "", _MISSING) for item in value]
        keys = list_keys(name, value)
        if keys:
            return [(item_step(item, keys), name + "[]", item) for item in value]
    return None


def _is_atomic_item(name: str) -> bool:
    return name == "ownerReferences[]"


def applied(obj: Obj) -> FieldSet:
    """Return the fields that a manager owns by applying this object."""
    return frozenset(_applied((), "", obj))


def _applied(path: Path, name: str, value: Any) -> Iterator[Path]:
    below = None if _is_atomic_item(name) or value is _MISSING else steps(name, value)
    if not below:
        if path:
            yield path
        return
    if path and path[-1][0] == "k":
        yield path
    for step, child_name, child in below:
        yield from _applied((*path, step), child_name, child)


def _everything(path: Path, name: str, value: Any) -> Iterator[Path]:
    if path and path[-1] not in _ALWAYS and path != _CLAIM_RESOURCES:
        yield path
    if value is _MISSING or _is_atomic_item(name):
        return
    for step, child_name, child in steps(name, value) or ():
        yield from _everything((*path, step), child_name, child)


def compare(old: Obj, new: Obj) -> tuple[FieldSet, FieldSet]:
    """Return (fields added or changed, fields removed) on the way from old to new."""
    changed: set[Path] = set()
    removed: set[Path] = set()
    _compare((), "", (old, new), (changed, removed))
    return frozenset(changed), frozenset(removed)


def _compare(
    path: Path, name: str, pair: tuple[Any, Any], out: tuple[set[Path], set[Path]]
) -> None:
    old, new = pair
    if old is new or old == new:
        return
    before = None if _is_atomic_item(name) else steps(name, old)
    after = None if _is_atomic_item(name) else steps(name, new)
    if before is None or after is None:
        out[0].add(path)
        return
    olds = {step: (child_name, child) for step, child_name, child in before}
    news = {step: (child_name, child) for step, child_name, child in after}
    for step, (child_name, child) in news.items():
        where = (*path, step)
        if step in olds:
            _compare(where, child_name, (olds[step][1], child), out)
        else:
            out[0].update(_everything(where, child_name, child))
    for step, (child_name, child) in olds.items():
        if step not in news:
            out[1].update(_everything((*path, step), child_name, child))


def to_v1(fields: FieldSet) -> Obj:
    """Return the `fieldsV1` form."""
    root: Obj = {}
    for path in sorted(fields):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        node["."] = {}
    _drop_lone_dots(root)
    return root


def _drop_lone_dots(node: Obj) -> None:
    if len(node) == 1 and "." in node:
        del node["."]
    for child in node.values():
        _drop_lone_dots(child)


def from_v1(node: Obj) -> FieldSet:
    """Read the `fieldsV1` form."""
    return frozenset(_paths((), node))


def _paths(path: Path, node: Obj) -> Iterator[Path]:
    if not node and path:
        yield path
    for step, child in node.items():
        if step == ".":
            yield path
        else:
            yield from _paths((*path, step), child)


def dotted(path: Path) -> str:
    """Return a path as conflicts name it: `.spec.hard.requests.cpu`, `[name="c"]`."""
    return "".join(_dotted_step(step) for step in path)


def _dotted_step(step: str) -> str:
    sort, _, rest = step.partition(":")
    if sort == "f":
        return "." + rest
    if sort == "v":
        return f"[={rest}]"
    keys = orjson.loads(rest)
    return "[" + ",".join(f"{key}={orjson.dumps(keys[key]).decode()}" for key in keys) + "]"
