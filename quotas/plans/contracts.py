"""The plain values that pass between the pure core, the adapters and the rows.

All limits are integers in base units (see `LimitKey.unit`): millicores, bytes, count,
milli-requests per second, seconds. `None` means unlimited, `0` means none.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from cattrs import Converter

T = TypeVar("T")
LARGEST = 2**63 - 1
"""The largest base value: what a Kubernetes int64 and a database bigint can hold."""


class Unit(StrEnum):
    """The base unit that a limit's integer counts."""

    MILLICORES = "millicores"
    BYTES = "bytes"
    COUNT = "count"
    MILLI_PER_SECOND = "milli_per_second"
    SECONDS = "seconds"
    MILLI = "milli"


class Plane(StrEnum):
    """The kind of system that enforces a limit."""

    KUBERNETES = "kubernetes"
    TEMPORAL = "temporal"
    ARGO = "argo"
    CELERY = "celery"
    HEADROOM = "headroom"
    """Kept by Headroom itself: no target has it and no adapter is asked."""


class Group(StrEnum):
    """The object that carries a limit, and its section on a page."""

    QUOTA = "quota"
    LIMIT_RANGE = "limit_range"
    EXECUTION = "execution"
    TEMPORAL = "temporal"
    ARGO = "argo"
    CELERY = "celery"
    TRAIL = "trail"


_ELSEWHERE = {
    Group.TEMPORAL: Plane.TEMPORAL,
    Group.ARGO: Plane.ARGO,
    Group.CELERY: Plane.CELERY,
    Group.TRAIL: Plane.HEADROOM,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """One match expression of a ResourceQuota's scopeSelector."""

    name: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        listed = ",".join(self.values)
        known = {
            "In": f"{self.name}={listed}",
            "NotIn": f"{self.name}!={listed}",
            "Exists": self.name,
            "DoesNotExist": f"!{self.name}",
        }
        # A cluster may know operators that we do not: they are named, and no plan has them.
        return known.get(self.operator) or f"{self.name} {self.operator} {listed}".strip()


@dataclass(frozen=True, slots=True)
class LimitKey:
    """One limit, parsed.

    `key` is its one spelling. `resource` is the name inside its object (entry of `spec.hard`,
    LimitRange resource, Job field, semaphore). `scopes` is empty for the unscoped quota.
    `range_type` and `range_field` are set for a LimitRange only (`Container`, `defaultRequest`).
    A `positive` limit cannot be 0 and a `required` one cannot be unlimited; `largest` is in base
    units.
    """

    key: str
    group: Group
    unit: Unit
    resource: str
    label: str
    help: str
    scopes: tuple[Scope, ...] = ()
    range_type: str = ""
    range_field: str = ""
    positive: bool = False
    required: bool = False
    largest: int = LARGEST

    @property
    def plane(self) -> Plane:
        """The kind of system that enforces it."""
        return _ELSEWHERE.get(self.group, Plane.KUBERNETES)


def quota_name(scopes: tuple[Scope, ...]) -> str:
    """The name of the ResourceQuota for one set of scopes: stable, and safe as a DNS label.

    `headroom` for none, `headroom-terminating` for a plain scope, and a short hash behind anything
    whose words alone would not tell it from another.
    """
    if not scopes:
        return "headroom"
    written = "@".join(map(str, scopes))
    words = re.sub(r"[^a-z0-9]+", "-", written.lower()).strip("-")
    if len(scopes) == 1 and written == scopes[0].name:
        return f"headroom-{words}"
    return f"headroom-{words[:40].strip('-')}-{hashlib.sha256(written.encode()).hexdigest()[:8]}"


def scope_selector(scopes: tuple[Scope, ...]) -> dict[str, list[dict[str, str | list[str]]]]:
    """`spec.scopeSelector` of the ResourceQuota for one set of scopes; empty for none."""
    expressions: list[dict[str, str | list[str]]] = []
    for scope in scopes:
        expression: dict[str, str | list[str]] = {
            "scopeName": scope.name,
            "operator": scope.operator,
        }
        if scope.values:
            expression["values"] = list(scope.values)
        expressions.append(expression)
    return {"matchExpressions": expressions} if expressions else {}


class Source(StrEnum):
    """Where an effective limit comes from, weakest first."""

    PLAN = "plan"
    OVERRIDE = "override"
    LEASE = "lease"
    SUSPENSION = "suspension"


@dataclass(frozen=True, slots=True)
class NetworkException:
    """One exception from the default-deny NetworkPolicy.

    `direction` is "ingress" or "egress". Exactly one of `cidr`, `namespace` (name) or
    `everything` applies; `ports` are ("TCP" | "UDP" | "SCTP", number) pairs, none meaning all.
    """

    name: str
    direction: str
    cidr: str = ""
    namespace: str = ""
    everything: bool = False
    ports: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What a plan says beyond numbers.

    `pod_security` is a Pod Security Standards level (privileged, baseline, restricted).
    `priority_class` is the PriorityClass given to pods that name none; empty leaves it alone.
    `tenant_role` is the ClusterRole that the tenant's group is bound to; empty binds nobody.
    """

    pod_security: str = "baseline"
    priority_class: str = ""
    tenant_role: str = "edit"
    network_isolated: bool = True
    network_exceptions: tuple[NetworkException, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """One immutable plan version: its limits by key and its policy."""

    plan: str
    version: int
    limits: Mapping[str, int | None]
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Interval(Generic[T]):
    """A value that held from `starts_at` (inclusive) to `ends_at` (exclusive; None is open)."""

    value: T
    starts_at: datetime
    ends_at: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """True when `at` lies in [starts_at, ends_at)."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One limit changed for one tenant: an override (open-ended) or a lease (ends by itself).

    `order` breaks ties between adjustments of the same source that cover the same moment: the
    larger (later made) wins. `ref` identifies the row, e.g. "lease:42".
    """

    source: Source
    key: str
    value: int | None
    starts_at: datetime
    ends_at: datetime | None
    order: int
    reason: str = ""
    author: str = ""
    ref: str = ""


@dataclass(frozen=True, slots=True)
class TenantHistory:
    """Everything that `effective_limits` needs to answer for any moment of one tenant's life."""

    slug: str
    subscriptions: tuple[Interval[PlanTerms], ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    suspensions: tuple[Interval[str], ...] = ()
    created_at: datetime | None = None
    offboarded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EffectiveLimit:
    """One limit in force: its value, where it comes from and what it would be without that."""

    key: str
    value: int | None
    source: Source
    ref: str
    reason: str = ""
    author: str = ""
    until: datetime | None = None
    plan_value: int | None = None
    in_plan: bool = True


@dataclass(frozen=True, slots=True)
class EffectiveLimits:
    """What one tenant may use at one moment.

    `limits` maps a limit key to its effective limit; a key that is absent is not limited and not
    pushed. While `suspended`, limits keep their values (so that a page can show them) and each
    adapter stops new work in its plane's own way.
    """

    tenant: str
    at: datetime
    plan: str
    version: int
    policy: Policy
    limits: Mapping[str, EffectiveLimit]
    suspended: bool = False
    suspended_reason: str = ""


_CONVERTER: Final = Converter(unstruct_collection_overrides={tuple: list})


def policy_from_json(content: Mapping[str, Any]) -> Policy:
    """The policy that a plan version stores; what is missing has its default."""
    return _CONVERTER.structure(content, Policy)


def policy_to_json(policy: Policy) -> dict[str, Any]:
    """The policy as JSON, every field said; `policy_from_json` reads it back."""
    content: dict[str, Any] = _CONVERTER.unstructure(policy)
    return content
