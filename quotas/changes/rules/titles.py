"""What titles, previews and warnings say of limits, tenants and moments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from quotas.plans.contracts import Group, LimitKey
from quotas.plans.limits import parse_key
from quotas.plans.quantities import humanize

UNSET = "not set"
"""How a limit that is not set at all is shown; ∞ is one that is set to unlimited."""
DELETES = "Everything that carries Headroom's label there is deleted, and what runs with it."


def who(slugs: Sequence[str]) -> str:
    """`acme`, `acme and initech`, `12 tenants`."""
    if len(slugs) > 3:
        return f"{len(slugs)} tenants"
    return " and ".join(filter(None, [", ".join(slugs[:-1]), slugs[-1]])) if slugs else "nobody"


def amount(key: str, value: int | None) -> str:
    """A limit's value as people read it."""
    return humanize(value, parse_key(key).unit)


def limit_title(key: str, value: int | None) -> str:
    """A limit with its value: `CPU requests 40 cores`."""
    parsed = parse_key(key)
    return f"{parsed.label} {humanize(value, parsed.unit)}"


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
    """A moment of any zone in a sentence, in UTC."""
    return f"{at.astimezone(UTC):%-d %b %Y %H:%M} UTC"
