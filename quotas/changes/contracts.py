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
    """Takes a tenant away: every placement is removed, the subscription ends, the row stays.
    `confirm` must repeat the slug."""

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
