"""Changes to and from JSON. Strict on the way in: every fault is listed with its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any

from console.errors import DomainError
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.payload import kind_named
from quotas.changes.kinds.placements import Place
from quotas.changes.rules.policy import completed_policy
from quotas.changes.selectors.scope import policy_of
from quotas.plans.contracts import LARGEST, Policy
from quotas.plans.limits import parse_key, parse_limit
from quotas.plans.rules import parse_limits

_LONGEST = 300
_MOST = 100_000


def parse_change(kind: str, payload: Any) -> ProposedChange:
    """The change that a kind and its JSON say.

    Limits may be written as people do (`"40"`, `"96Gi"`, `"20/s"`, `"unlimited"`, null); a number
    means what it would mean as text. Raises DomainError: "unknown_change", or "invalid_change" with
    the first field as `field` and {field, code, message} of every fault in detail["problems"].
    """
    made = kind_named(kind)
    if not isinstance(payload, Mapping):
        raise _fault("", payload, "send an object with the fields of the change")
    values, problems = _read(made, payload)
    if problems:
        raise DomainError(
            "invalid_change",
            " ".join(problem.message for problem in problems),
            field=problems[0].field,
            detail={"problems": _listed(problems)},
        )
    return made(**values)


def _read(made: type[Any], payload: Mapping[str, Any]) -> tuple[dict[str, Any], list[DomainError]]:
    specs = {item.name: item for item in fields(made)}
    problems = [
        _fault(str(name), payload[name], f"it is not a field here; use {', '.join(specs)}")
        for name in payload
        if name not in specs
    ]
    values: dict[str, Any] = {}
    for name, spec in specs.items():
        if name in payload:
            try:
                values[name] = _PARSERS[name](name, payload[name], payload)
            except DomainError as problem:
                problems.append(problem)
        elif spec.default is MISSING and spec.default_factory is MISSING:
            problems.append(DomainError("missing", f"{name} is missing.", field=name))
    return values, problems


def _listed(problems: list[DomainError]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    for problem in problems:
        inner = problem.detail.get("problems")
        listed += inner or [
            {"field": problem.field, "code": problem.code, "message": problem.message}
        ]
    return listed


def _text(name: str, value: Any, _: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise _fault(name, value, f"use a text of up to {_LONGEST} characters")
    return value.strip()


def _named(name: str, value: Any, payload: Any) -> str:
    if not (text := _text(name, value, payload)):
        raise DomainError("missing", f"{name} is empty.", field=name)
    return text


def _number(name: str, value: Any, _: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
        raise _fault(name, value, "use a whole number from 1")
    return int(value)


def _version(name: str, value: Any, payload: Any) -> int | None:
    return None if value is None else _number(name, value, payload)


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple) or not value or len(value) > _MOST:
        raise _fault(name, value, "use a list with at least one entry")
    return list(value)


def _slugs(name: str, value: Any, payload: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_named(name, each, payload) for each in _list(name, value)))


def _numbers(name: str, value: Any, payload: Any) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_number(name, each, payload) for each in _list(name, value)))


def _key(name: str, value: Any, payload: Any) -> str:
    try:
        return parse_key(_named(name, value, payload)).key
    except DomainError as error:
        raise DomainError(error.code, error.message, field=name) from error


def _value(name: str, value: Any, payload: Mapping[str, Any]) -> int | None:
    try:
        key = parse_key(str(payload.get("key", "")))
    except DomainError:
        return None  # the key is reported on its own
    try:
        return parse_limit(key, value)
    except DomainError as error:
        raise DomainError(error.code, error.message, field=name) from error


def _limits(name: str, value: Any, _: Any) -> dict[str, int | None]:
    if not isinstance(value, Mapping):
        raise _fault(name, value, "use an object of limits by key")
    return parse_limits(value)


def _policy(_: str, value: Any, payload: Mapping[str, Any]) -> Policy | None:
    if value == {}:
        return None
    completed_policy(Policy(), value)
    before = policy_of(payload.get("plan"), payload.get("base_version"))
    return completed_policy(before, value)


def _until(name: str, value: Any, _: Any) -> datetime:
    remedy = "use a time with its zone such as 2026-11-22T18:00:00Z"
    if isinstance(value, datetime):
        moment = value
    else:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise _fault(name, value, remedy) from None
    if moment.tzinfo is None:
        raise _fault(name, value, f"it has no time zone; {remedy}")
    return moment


def _labels(name: str, value: Any, _: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(part, str) for pair in value.items() for part in pair
    ):
        raise _fault(name, value, "use an object of texts")
    return dict(value)


def _placements(name: str, value: Any, payload: Mapping[str, Any]) -> tuple[Any, ...]:
    """Numbers for Repair and TakeOver; places for Onboard, where the tenant goes without saying."""
    if "slug" not in payload:
        return _numbers(name, value, payload)
    if not isinstance(value, list | tuple):
        raise _fault(name, value, "use a list of places")
    return tuple(_onboard_place(f"{name}[{n}]", each, payload) for n, each in enumerate(value))


def _onboard_place(path: str, value: Any, payload: Mapping[str, Any]) -> Place:
    if not isinstance(value, Mapping):
        raise _fault(path, value, "use an object with target and location")
    values, problems = _read(Place, {"tenant": payload["slug"], **value})
    if not problems and values["tenant"] != payload["slug"]:
        problems.append(_fault("tenant", values["tenant"], f"it can only be {payload['slug']}"))
    if problems:
        first = problems[0]
        raise DomainError(first.code, f"{path}: {first.message}", field=f"{path}.{first.field}")
    return Place(**values)


def _fault(name: str, value: Any, remedy: str) -> DomainError:
    where = f"{name}: " if name else ""
    return DomainError(
        "invalid", f"{where}{str(value)[:80]!r} is not accepted; {remedy}.", field=name
    )


_PARSERS: dict[str, Callable[[str, Any, Any], Any]] = {
    **dict.fromkeys(("plan", "tenant", "target", "location", "slug", "name", "sharing"), _named),
    **dict.fromkeys(("fairness_key", "contact", "group", "confirm"), _text),
    **dict.fromkeys(("base_version", "lease", "override", "placement"), _number),
    "version": _version,
    "tenants": _slugs,
    "key": _key,
    "value": _value,
    "limits": _limits,
    "policy": _policy,
    "until": _until,
    "labels": _labels,
    "placements": _placements,
}
