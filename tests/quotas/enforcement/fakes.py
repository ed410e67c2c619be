"""An enforcement plane in memory, and the rows that a test of the loop needs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from console.errors import Conflict, Unreachable
from quotas.enforcement.models import TargetState
from quotas.enforcement.ports import (
    ApplyResult,
    Compiled,
    DesiredObject,
    Health,
    ObjectRef,
    Observation,
    Observed,
    ObservedObject,
    Operation,
    Owner,
    PlacementChanges,
    Refusal,
    Scalar,
    Usage,
)
from quotas.plans.contracts import EffectiveLimits
from quotas.plans.models import Limit, Plan, PlanVersion, Subscription
from tenants.contracts import PlacementRef, TargetRef
from tenants.models import Placement, Target, Tenant


@dataclass
class Thing:
    """One object on the plane."""

    fields: dict[str, Scalar]
    owners: dict[str, Owner] = field(default_factory=dict)
    ours: bool = True


@dataclass
class FakePlane:
    """Behaves as an adapter and its plane at once; counts every read and write."""

    kind: str = "kubernetes"
    label: str = "Fake"
    location_label: str = "Namespace"
    batch: int = 200
    things: dict[tuple[int, ObjectRef], Thing] = field(default_factory=dict)
    used: dict[tuple[int, str, str], int] = field(default_factory=dict)
    reads: int = 0
    writes: list[str] = field(default_factory=list)
    down: dict[int, Exception] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    failing: dict[str, list[Exception]] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    bug: Exception | None = None
    prepared: set[int] = field(default_factory=set)
    prepare_error: Exception | None = None
    on_observe: Callable[[], None] | None = None
    on_apply: Callable[[], None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def compile(
        self, *, limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
    ) -> Compiled:
        """One quota per placement that has every limit."""
        if limits is None or placement.leaving:
            return Compiled()
        if placement.location in self.broken:
            raise ValueError("a bug")
        keys = [k for k, limit in limits.limits.items() if limit.value is not None]
        keys = [key for key in keys if key not in self.refused]
        fields: dict[str, Scalar] = {f"hard[{k}]": limits.limits[k].value for k in keys}
        if limits.suspended:
            fields["hard[pods]"] = 0
        want = DesiredObject(
            self.quota(placement.location), fields, limits={k: f"hard[{k}]" for k in keys}
        )
        refusals = tuple(
            Refusal(key, "cannot_say", message)
            for key, message in self.refused.items()
            if key in limits.limits
        )
        return Compiled((want,), refusals)

    @staticmethod
    def quota(location: str) -> ObjectRef:
        """The object that holds a placement's limits."""
        return ObjectRef("Quota", location, "headroom")

    def observe(
        self, *, target: TargetRef, placements: Sequence[PlacementRef], everything: bool
    ) -> Observation:
        """One read for everything, else one per placement."""
        if self.on_observe:
            self.on_observe()
        self._raise(target)
        self.reads += 1 if everything else len(placements)
        failures = {p.id: self.unseen[p.location] for p in placements if p.location in self.unseen}
        observed = {p.id: self._observed(target.id, p) for p in placements if p.id not in failures}
        known = {placement.location for placement in placements}
        orphans = tuple(
            ref for at, ref in self.things if at == target.id and ref.namespace not in known
        )
        return Observation(observed, self.reads, orphans if everything else (), failures)

    def _observed(self, target_id: int, placement: PlacementRef) -> Observed:
        ref = self.quota(placement.location)
        thing = self.things.get((target_id, ref))
        if thing is None:
            return Observed()
        usage = tuple(
            Usage(key, thing.fields.get(f"hard[{key}]"), used)  # type: ignore[arg-type]  # ints here
            for (at, location, key), used in self.used.items()
            if at == target_id and location == placement.location
        )
        quota = ObservedObject(ref, dict(thing.fields), {}, dict(thing.owners), thing.ours)
        return Observed((quota,), usage)

    def apply(
        self,
        *,
        target: TargetRef,
        work: Sequence[PlacementChanges],
        on_result: Callable[[ApplyResult], None],
    ) -> None:
        """Writes, refuses fields of others without force, fails where the test says so."""
        for item in work:
            if self.bug:
                raise self.bug
            if self.on_apply:
                self.on_apply()
            self._raise(target)
            pending = self.failing.get(item.placement.location, [])
            error = pending.pop(0) if pending else self._write(target.id, item)
            done = () if error else item.changes
            calls, took = len(item.changes), 0.01
            on_result(ApplyResult(item.placement, done, error, calls=calls, seconds=took))

    def _write(self, target_id: int, item: PlacementChanges) -> Exception | None:
        for change in item.changes:
            place = (target_id, change.ref)
            if change.operation is Operation.DELETE:
                self.things.pop(place, None)
            else:
                there = self.things.get(place)
                if there and there.owners and not item.force:
                    owners = {path: owner.manager for path, owner in there.owners.items()}
                    return Conflict("Somebody else holds it.", owners=owners)
                assert change.desired
                self.things[place] = Thing(dict(change.desired.fields))
            with self.lock:
                self.writes.append(f"{change.operation} {change.ref}")
        return None

    def _raise(self, target: TargetRef) -> None:
        if target.id in self.down:
            raise self.down[target.id]

    def probe(self, *, target: TargetRef, regular: bool = False) -> Health:
        """Answers unless it is down."""
        self._raise(target)
        return Health(1.5, "fake 1", {"fair": True})

    def cost(self, *, target: TargetRef, work: Sequence[PlacementChanges]) -> int:
        """One call per change."""
        return sum(len(item.changes) for item in work)

    def seconds(self, *, calls: int, latency_ms: float, concurrency: int) -> float:
        """One after the other."""
        return calls * latency_ms / 1000

    def options_error(self, options: Mapping[str, object]) -> str:
        """Everything is fine."""
        return ""

    def prepare(self, *, target: TargetRef) -> int:
        """Installs one thing, once."""
        self._raise(target)
        if self.prepare_error:
            raise self.prepare_error
        first = target.id not in self.prepared
        self.prepared.add(target.id)
        return int(first)

    def validate(
        self, *, location: str, sharing: str, fairness_key: str, target: TargetRef
    ) -> Mapping[str, str]:
        """Everything is fine."""
        return {}

    def edit(self, placement: Placement, key: str, value: int, owner: Owner | None = None) -> None:
        """Somebody changes one limit by hand."""
        thing = self.things[placement.target_id, self.quota(placement.location)]
        thing.fields[f"hard[{key}]"] = value
        if owner:
            thing.owners[f"hard[{key}]"] = owner

    def value(self, placement: Placement, key: str) -> Scalar:
        """What the plane enforces."""
        thing = self.things[placement.target_id, self.quota(placement.location)]
        return thing.fields.get(f"hard[{key}]")


KUBECTL = Owner("kubectl-edit", declarative=False)
ARGOCD = Owner("argocd", declarative=True)


def unreachable() -> Exception:
    """What a target that is away raises."""
    return Unreachable("connection refused")


def make_target(slug: str = "prod", drift_policy: str = "heal") -> Target:
    """A target with its state."""
    target = Target.objects.create(
        slug=slug, name=slug, kind="kubernetes", drift_policy=drift_policy
    )
    TargetState.objects.create(target=target)
    return target


def make_version(limits: Mapping[str, int | None], number: int = 1) -> PlanVersion:
    """A version of the plan "standard"."""
    plan, _ = Plan.objects.get_or_create(slug="standard", defaults={"name": "Standard"})
    version = PlanVersion.objects.create(plan=plan, number=number, created_at=timezone.now())
    Limit.objects.bulk_create(
        Limit(version=version, key=key, value=value) for key, value in limits.items()
    )
    return version


def make_tenants(
    target: Target, version: PlanVersion, number: int, since: datetime | None = None
) -> list[Placement]:
    """Tenants t0, t1, …, each with one placement in a namespace of its name."""
    since = since or timezone.now() - timedelta(days=1)
    tenants = Tenant.objects.bulk_create(
        Tenant(slug=f"t{n}", name=f"Tenant {n}") for n in range(number)
    )
    Tenant.objects.update(created_at=since)
    Subscription.objects.bulk_create(
        Subscription(tenant=tenant, version=version, starts_at=since) for tenant in tenants
    )
    return Placement.objects.bulk_create(
        Placement(tenant=tenant, target=target, location=tenant.slug) for tenant in tenants
    )


def move(placements: Sequence[Placement], version: PlanVersion) -> None:
    """Puts the tenants on another version now."""
    now = timezone.now()
    tenants = [placement.tenant_id for placement in placements]
    Subscription.objects.filter(tenant__in=tenants, ends_at=None).update(ends_at=now)
    Subscription.objects.bulk_create(
        Subscription(tenant_id=tenant, version=version, starts_at=now) for tenant in tenants
    )
