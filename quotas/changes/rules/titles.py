"""Changes in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from quotas.changes import contracts as c
from quotas.plans.contracts import Group, LimitKey
from quotas.plans.limits import parse_key
from quotas.plans.quantities import humanize

UNSET = "not set"
"""How a limit that is not set at all is shown; ∞ is one that is set to unlimited."""


def title(change: c.Change) -> str:
    """One line that says what the change does, at most 200 characters."""
    return _TITLES[type(change)](change)[:200]


def who(slugs: Sequence[str]) -> str:
    """`acme`, `acme and initech`, `12 tenants`."""
    if len(slugs) > 3:
        return f"{len(slugs)} tenants"
    return " and ".join(filter(None, [", ".join(slugs[:-1]), slugs[-1]])) if slugs else "nobody"


def amount(key: str, value: int | None) -> str:
    """A limit's value as people read it."""
    return humanize(value, parse_key(key).unit)


def effect(key: LimitKey) -> str:
    """What happens to a tenant that uses more than its new limit of this key."""
    if key.group in _ELSEWHERE:
        return _ELSEWHERE[key.group]
    if key.resource.startswith("count/") or key.resource in _OBJECTS:
        name = key.resource.removeprefix("count/")
        return f"nothing is deleted; new {name} are refused until there are fewer"
    if "storage" in key.resource and "ephemeral" not in key.resource:
        return "no volume is deleted; new claims are refused until there is room"
    return "nothing is evicted; new pods are refused until there is room"


_ELSEWHERE = {
    Group.TEMPORAL: "nothing running is stopped; tasks wait longer in the queue",
    Group.ARGO: "nothing running is stopped; further workflows wait until there are fewer",
    Group.CELERY: "nothing running is stopped; tasks wait longer in the queue",
    Group.TRAIL: "runs that finished longer ago are deleted with their events",
}
_OBJECTS = frozenset(
    {
        "services",
        "services.loadbalancers",
        "services.nodeports",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "resourcequotas",
    }
)


def moment(at: datetime) -> str:
    """A moment in a sentence, in UTC."""
    return f"{at:%-d %b %Y %H:%M} UTC"


def _publish(change: c.PublishPlan) -> str:
    return f"{change.plan} v{change.base_version} → v{change.base_version + 1}"


def _move(change: c.MovePlan) -> str:
    version = f" v{change.version}" if change.version else ""
    return f"Move {who(change.tenants)} to {change.plan}{version}"


def _lease(change: c.GrantLease) -> str:
    limit = f"{parse_key(change.key).label} {amount(change.key, change.value)}"
    return f"Lease for {who(change.tenants)}: {limit} until {moment(change.until)}"


def _override(change: c.SetOverride) -> str:
    limit = f"{parse_key(change.key).label} {amount(change.key, change.value)}"
    return f"Override for {who(change.tenants)}: {limit}"


def _place(change: c.Place) -> str:
    key = f" as {change.fairness_key}" if change.fairness_key else ""
    return f"Place {change.tenant} on {change.target} at {change.location}{key}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


_TITLES: dict[type[Any], Callable[[Any], str]] = {
    c.PublishPlan: _publish,
    c.MovePlan: _move,
    c.GrantLease: _lease,
    c.EndLease: lambda change: f"End lease {change.lease}",
    c.SetOverride: _override,
    c.EndOverride: lambda change: f"End override {change.override}",
    c.Suspend: lambda change: f"Suspend {who(change.tenants)}",
    c.Resume: lambda change: f"Resume {who(change.tenants)}",
    c.Place: _place,
    c.Displace: lambda change: f"Remove placement {change.placement}",
    c.Onboard: lambda change: f"On-board {change.slug} on {change.plan}",
    c.Offboard: lambda change: f"Off-board {change.tenant}",
    c.Repair: lambda change: f"Repair {_count(len(change.placements), 'placement')}",
    c.TakeOver: lambda change: f"Take over {_count(len(change.placements), 'placement')}",
}
