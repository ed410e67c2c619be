"""What a preview says, as plain values. Texts are for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LimitChange:
    """One limit going from one value to another for so many tenants; "not set" where it is not."""

    key: str
    label: str
    before: int | None
    after: int | None
    before_text: str
    after_text: str
    tenants: int


@dataclass(frozen=True, slots=True)
class SettingChange:
    """Something beside a limit that changes for so many tenants: plan, status, policy."""

    name: str
    before: str
    after: str
    tenants: int


@dataclass(frozen=True, slots=True)
class OverLimit:
    """A tenant that uses more than the new limit already, and what will happen, in words."""

    tenant: str
    target: str
    location: str
    key: str
    label: str
    used: int
    limit: int
    used_text: str
    limit_text: str
    effect: str


@dataclass(frozen=True, slots=True)
class ShadowedLimit:
    """A limit that stays as it is because the tenant's own lease or override wins."""

    tenant: str
    key: str
    label: str
    value_text: str
    source: str
    ref: str
    reason: str
    author: str
    until: str | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """What cannot be pushed now. `cause`: unreachable, disabled, unobserved, refused or conflict;
    `placements` is how many it concerns, `tenants` names the first few."""

    cause: str
    target: str
    message: str
    placements: int
    tenants: tuple[str, ...] = ()
    key: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class TargetCost:
    """What it costs on one target: objects, API calls, estimated seconds."""

    target: str
    kind: str
    placements: int
    objects: int
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What applying a change would do.

    `objects` are changes as quotas.enforcement.diff writes them as JSON, each with `placement`
    (below zero for one that does not exist yet), `tenant`, `target` and `location`: at most the
    first 5,000 of `objects_total`. `shadowed` holds the first 500 of `shadowed_total`. `base` is
    what the fingerprint was made from, so that a later preview can say what has changed since.
    """

    title: str
    at: str
    tenants: int
    placements: int
    limits: tuple[LimitChange, ...]
    settings: tuple[SettingChange, ...]
    over_limit: tuple[OverLimit, ...]
    shadowed: tuple[ShadowedLimit, ...]
    shadowed_total: int
    shadowed_tenants: int
    objects: tuple[Mapping[str, Any], ...]
    objects_total: int
    creates: int
    updates: int
    deletes: int
    blocked: tuple[Blocked, ...]
    costs: tuple[TargetCost, ...]
    calls: int
    seconds: float
    reads: int
    warnings: tuple[str, ...]
    confirm: str
    fingerprint: str
    base: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is no longer as a preview said. `what` is a whole sentence."""

    what: str
    tenant: str = ""
    target: str = ""
    object: str = ""
    path: str = ""
