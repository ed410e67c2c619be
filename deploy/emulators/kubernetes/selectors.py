"""Label selectors and field selectors."""

import re
from collections.abc import Callable
from typing import Any

from deploy.emulators.kubernetes.errors import bad_request
from deploy.emulators.kubernetes.kinds import Obj

Test = Callable[[Obj], bool]

_SET = re.compile(r"^(?P<key>[^\s!=<>()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)$")
_COMPARE = re.compile(r"^(?P<key>[^\s!=<>()]+)\s*(?P<op>==|=|!=|>|<)\s*(?P<value>[^\s!=<>()]*)$")
_EXISTS = re.compile(r"^(?P<no>!?)\s*(?P<key>[A-Za-z0-9][^\s!=<>(),]*)$")
_FIELDS = {
    "Pod": {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    },
    "Event": {
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "reason",
        "reportingComponent",
        "source",
        "type",
    },
    "Namespace": {"status.phase"},
    "Node": {"spec.unschedulable"},
    "Job": {"status.successful"},
    "Secret": {"type"},
}


def by_labels(selector: str) -> Test:
    """Return the test for a label selector; raises ApiError 400."""
    tests = [_requirement(part.strip()) for part in _split(selector) if part.strip()]
    return lambda obj: all(test(obj["metadata"].get("labels") or {}) for test in tests)


def _split(selector: str) -> list[str]:
    return re.split(r",(?![^()]*\))", selector)


def _requirement(text: str) -> Callable[[dict[str, str]], bool]:
    match = _SET.match(text)
    if match:
        key, values = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    match = _EXISTS.match(text)
    if match:
        key = match["key"]
        if match["no"]:
            return lambda labels: key not in labels
        return lambda labels: key in labels
    match = _COMPARE.match(text)
    if not match:
        raise bad_request(f"unable to parse requirement: {text}")
    return _comparison(match["key"], match["op"], match["value"])


def _comparison(key: str, operator: str, value: str) -> Callable[[dict[str, str]], bool]:
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    if operator in ("=", "=="):
        return lambda labels: labels.get(key) == value
    try:
        bound = int(value)
    except ValueError:
        raise bad_request(f"unable to parse requirement: {key}{operator}{value}") from None
    sign = 1 if operator == ">" else -1
    return lambda labels: _number(labels.get(key), sign) > sign * bound


def _number(text: str | None, sign: int) -> float:
    try:
        return sign * int(text or "")
    except ValueError:
        return float("-inf")


def by_fields(selector: str, kind: str) -> Test:
    """Return the test for a field selector; raises ApiError 400."""
    known = ["metadata.name", "metadata.namespace", *sorted(_FIELDS.get(kind, ()))]
    tests = [_field(part, known) for part in selector.split(",") if part]
    return lambda obj: all(test(obj) for test in tests)


def _field(text: str, known: list[str]) -> Test:
    match = re.match(r"^([^!=]+)(!=|==|=)(.*)$", text)
    if not match:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    path, operator, value = match.groups()
    if path not in known:
        listed = ", ".join(f'"{name}"' for name in known)
        raise bad_request(f'"{path}" is not a known field selector: only {listed}')
    wanted = operator != "!="
    return lambda obj: (_value(obj, path) == value) is wanted


def _value(obj: Any, path: str) -> str:
    for step in path.split("."):
        obj = obj.get(step) if isinstance(obj, dict) else None
    return "" if obj is None else str(obj)
