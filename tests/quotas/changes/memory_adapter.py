"""An enforcement plane in memory: enough of an adapter to preview and apply changes against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.errors import Unreachable
from quotas.enforcement.ports import (
    ApplyResult,
    Compiled,
    DesiredObject,
    Health,
    ObjectRef,
    Observation,
    Observed,
    ObservedObject,
    Owner,
    PlacementChanges,
    Refusal,
    Usage,
)
from quotas.plans.contracts import EffectiveLimits, Plane
from quotas.plans.limits import parse_key
from tenants.contracts import PlacementRef, TargetRef


@dataclass
class Memory:
    """What the plane holds, by (target, location); tests set what they need."""

    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    used: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    owners: dict[tuple[str, str], dict[str, Owner]] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


class MemoryAdapter:
    """One object per placement that carries every limit, and a line for suspension."""

    kind = "memory"
    label = "Memory"
    location_label = "Namespace"
    batch = 200

    def __init__(self) -> None:
        self.memory = Memory()
        self.observations = 0

    def compile(
        self, *, limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
    ) -> Compiled:
        if limits is None or placement.leaving:
            return Compiled()
        fields: dict[str, Any] = {"suspended": limits.suspended, "group": placement.group}
        paths, refusals = {}, []
        for key, limit in limits.limits.items():
            if parse_key(key).plane is not Plane.KUBERNETES:
                continue
            if key in self.memory.refused:
                refusals.append(Refusal(key, "refused", self.memory.refused[key]))
                continue
            if limit.value is not None:
                fields[f"hard[{key}]"] = limit.value
                paths[key] = f"hard[{key}]"
        want = DesiredObject(_ref(placement), fields, limits=paths)
        return Compiled((want,), tuple(refusals))

    def observe(
        self, *, target: TargetRef, placements: Sequence[PlacementRef], everything: bool
    ) -> Observation:
        self.observations += 1
        if target.slug in self.memory.away:
            raise Unreachable(f"{target.slug}: connection refused")
        return Observation(
            {placement.id: self._observed(target, placement) for placement in placements}, reads=2
        )

    def _observed(self, target: TargetRef, placement: PlacementRef) -> Observed:
        where = (target.slug, placement.location)
        used = self.memory.used.get(where, {})
        usage = tuple(Usage(key, None, value) for key, value in used.items())
        if where not in self.memory.objects:
            return Observed(usage=usage)
        quota = ObservedObject(
            _ref(placement),
            dict(self.memory.objects[where]),
            owners=self.memory.owners.get(where, {}),
        )
        return Observed((quota,), usage)

    def apply(
        self,
        *,
        target: TargetRef,
        work: Sequence[PlacementChanges],
        on_result: Callable[[ApplyResult], None],
    ) -> None:
        for item in work:
            where = (target.slug, item.placement.location)
            for change in item.changes:
                if change.desired is None:
                    self.memory.objects.pop(where, None)
                else:
                    self.memory.objects[where] = dict(change.desired.fields)
            on_result(ApplyResult(item.placement, item.changes, calls=len(item.changes)))

    def probe(self, *, target: TargetRef, regular: bool = False) -> Health:
        return Health(1.0, "1")

    def cost(self, *, target: TargetRef, work: Sequence[PlacementChanges]) -> int:
        return sum(len(item.changes) for item in work)

    def seconds(self, *, calls: int, latency_ms: float, concurrency: int) -> float:
        """One after the other."""
        return calls * latency_ms / 1000

    def options_error(self, options: Mapping[str, object]) -> str:
        """Everything is fine."""
        return ""

    def prepare(self, *, target: TargetRef) -> int:
        return 0

    def validate(
        self, *, location: str, sharing: str, fairness_key: str, target: TargetRef
    ) -> Mapping[str, str]:
        if location.startswith("kube-"):
            return {"location": f"Namespace: {location!r} belongs to Kubernetes; use another."}
        return {}


def _ref(placement: PlacementRef) -> ObjectRef:
    return ObjectRef("Quota", placement.location, "headroom")
