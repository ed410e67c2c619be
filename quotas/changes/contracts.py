"""What can be changed, as plain values. Each is proposed, previewed, then applied with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """The next version of a plan, for everybody who has the plan.

    `base_version` is the version that was edited: if it is no longer the latest, somebody else was
    faster and the change is refused. `policy` is quotas.plans.contracts.Policy as JSON.
    """

    plan: str
    base_version: int
    limits: Mapping[str, int | None]
    policy: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MovePlan:
    """Puts tenants on a plan (its latest version, unless `version` says another)."""

    tenants: tuple[str, ...]
    plan: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class GrantLease:
    """One limit changed until `until`, for each of the tenants."""

    tenants: tuple[str, ...]
    key: str
    value: int | None
    until: datetime


@dataclass(frozen=True, slots=True)
class EndLease:
    """Ends a lease now."""

    lease: int


@dataclass(frozen=True, slots=True)
class SetOverride:
    """One limit that differs from the plan until it is ended; replaces an open one."""

    tenants: tuple[str, ...]
    key: str
    value: int | None


@dataclass(frozen=True, slots=True)
class EndOverride:
    """Ends an override now."""

    override: int


@dataclass(frozen=True, slots=True)
class Suspend:
    """Stops new work of the tenants on every plane."""

    tenants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """Lets the tenants start work again."""

    tenants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Puts a tenant on a target: creates what is needed there."""

    tenant: str
    target: str
    location: str
    sharing: str = "dedicated"
    fairness_key: str = ""


@dataclass(frozen=True, slots=True)
class Displace:
    """Removes a placement: deletes what carries our label there."""

    placement: int


@dataclass(frozen=True, slots=True)
class Onboard:
    """A new tenant with its plan and its placements, in one step."""

    slug: str
    name: str
    plan: str
    contact: str = ""
    group: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    placements: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Offboard:
    """Takes a tenant away; the row stays. `confirm`, or the argument of apply, repeats the slug."""

    tenant: str
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class Repair:
    """Writes the intent again where it drifted or failed. No intent changes."""

    placements: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Takes the fields of these placements over from their other owners. No intent changes."""

    placements: tuple[int, ...]


Change = (
    PublishPlan
    | MovePlan
    | GrantLease
    | EndLease
    | SetOverride
    | EndOverride
    | Suspend
    | Resume
    | Place
    | Displace
    | Onboard
    | Offboard
    | Repair
    | TakeOver
)


# What a preview says. Texts are for people.


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
class FieldDelta:
    """One field of one object. A `declarative` owner is a controller that would write it again."""

    path: str
    before: str
    after: str
    key: str = ""
    owner: str = ""
    declarative: bool = False


@dataclass(frozen=True, slots=True)
class ObjectDelta:
    """One object that will change. A placement that does not exist yet has a number below zero."""

    placement: int
    tenant: str
    target: str
    location: str
    operation: str
    object: str
    fields: tuple[FieldDelta, ...]


@dataclass(frozen=True, slots=True)
class Blocked:
    """What cannot be pushed now. `cause`: unreachable, disabled, unseen, refused or conflict;
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
    """What applying a change would do. `objects` holds at most the first 5,000 of
    `objects_total`; `shadowed` the first 500 of `shadowed_total`; `base` is what the fingerprint
    was made from, so that a later preview can say what has changed since."""

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
    objects: tuple[ObjectDelta, ...]
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
