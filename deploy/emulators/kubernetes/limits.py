"""LimitRange: the defaults that it gives containers, and what it refuses."""

from collections.abc import Iterator

from deploy.emulators.kubernetes import quantities
from deploy.emulators.kubernetes.errors import forbidden
from deploy.emulators.kubernetes.kinds import (
    LIMIT_RANGE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    Kind,
    Obj,
)
from deploy.emulators.kubernetes.quantities import Quantity
from deploy.emulators.kubernetes.store import Store

_ANNOTATION = "kubernetes.io/limit-ranger"


def _items(store: Store, namespace: str, sort: str) -> Iterator[Obj]:
    for _, limit_range in store.ordered(LIMIT_RANGE, namespace):
        for item in limit_range["spec"].get("limits") or ():
            if item.get("type") == sort:
                yield item


def give_defaults(store: Store, pod: Obj) -> None:
    """Fill missing requests and limits of a pod's containers in place, and note it down."""
    notes: list[str] = []
    for item in _items(store, pod["metadata"]["namespace"], "Container"):
        for part, words in (("containers", "container"), ("initContainers", "init container")):
            for container in pod["spec"].get(part) or ():
                notes += _fill(container, item, words)
    if notes:
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations[_ANNOTATION] = "LimitRanger plugin set: " + "; ".join(notes)


def _fill(container: Obj, item: Obj, words: str) -> list[str]:
    notes = []
    for part, source, noun in (
        ("requests", "defaultRequest", "request"),
        ("limits", "default", "limit"),
    ):
        has = container["resources"].get(part) or {}
        added = {name: value for name, value in item.get(source, {}).items() if name not in has}
        if added:
            container["resources"][part] = dict(sorted({**has, **added}.items()))
            listed = ", ".join(sorted(added))
            notes.append(f"{listed} {noun} for {words} {container['name']}")
    return notes


def admit(store: Store, kind: Kind, obj: Obj) -> None:
    """Raise ApiError 403 when an object is outside a LimitRange of its namespace."""
    if kind not in (POD, PERSISTENT_VOLUME_CLAIM):
        return
    namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
    problems = _pod(store, namespace, obj) if kind is POD else _claim(store, namespace, obj)
    messages = list(problems)
    if messages:
        listed = messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"
        raise forbidden(kind, name, listed)


def _pod(store: Store, namespace: str, pod: Obj) -> Iterator[str]:
    containers = [*(pod["spec"].get("containers") or ())]
    containers += pod["spec"].get("initContainers") or ()
    for container in containers:
        for item in _items(store, namespace, "Container"):
            yield from _check(item, container["resources"])
    total: Obj = {"requests": {}, "limits": {}}
    for container in pod["spec"].get("containers") or ():
        for part, sums in total.items():
            for name, value in (container["resources"].get(part) or {}).items():
                sums[name] = quantities.add(sums[name], value) if name in sums else value
    for item in _items(store, namespace, "Pod"):
        yield from _check(item, total)


def _claim(store: Store, namespace: str, claim: Obj) -> Iterator[str]:
    for item in _items(store, namespace, "PersistentVolumeClaim"):
        yield from _check(item, {"requests": claim["spec"]["resources"].get("requests") or {}})


def _check(item: Obj, resources: Obj) -> Iterator[str]:
    sort = item["type"]
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name, least in item.get("min", {}).items():
        yield from _minimum(f"minimum {name} usage per {sort} is {least}", least, requests, limits)
    for name, most in item.get("max", {}).items():
        yield from _maximum(
            f"maximum {name} usage per {sort} is {most}", (most, name), item, resources
        )
    for name, ratio in item.get("maxLimitRequestRatio", {}).items():
        yield from _ratio(sort, (name, ratio), requests, limits)


def _minimum(words: str, least: str, requests: Obj, limits: Obj) -> Iterator[str]:
    name = words.split()[1]
    bound = quantities.parse(least).value
    if name not in requests and name not in limits:
        yield f"{words}.  No request is specified"
    elif name in requests and quantities.parse(requests[name]).value < bound:
        yield f"{words}, but request is {_shown(requests[name])}"
    elif name in limits and quantities.parse(limits[name]).value < bound:
        yield f"{words}, but limit is {_shown(limits[name])}"


def _maximum(words: str, most: tuple[str, str], item: Obj, resources: Obj) -> Iterator[str]:
    value, name = most
    bound = quantities.parse(value).value
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    if item["type"] == "PersistentVolumeClaim":
        if name in requests and quantities.parse(requests[name]).value > bound:
            yield f"{words}, but request is {_shown(requests[name])}"
    elif name not in limits:
        yield f"{words}.  No limit is specified"
    elif quantities.parse(limits[name]).value > bound:
        yield f"{words}, but limit is {_shown(limits[name])}"
    elif name in requests and quantities.parse(requests[name]).value > bound:
        yield f"{words}, but request is {_shown(requests[name])}"


def _ratio(sort: str, bound: tuple[str, str], requests: Obj, limits: Obj) -> Iterator[str]:
    name, ratio = bound
    words = f"{name} max limit to request ratio per {sort} is {ratio}"
    request = quantities.parse(requests.get(name)).value
    limit = quantities.parse(limits.get(name)).value
    if not request or not limit:
        yield f"{words}, but no request is specified or request is 0"
    elif limit / request > quantities.parse(ratio).value:
        yield f"{words}, but provided ratio is {float(limit / request):.6f}"


def _shown(value: str) -> str:
    quantity: Quantity = quantities.parse(value)
    return quantity.text()
