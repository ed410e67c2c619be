"""One plane as a test sees it: a target, an adapter, and the loop's steps in short."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from quotas.enforcement.adapters.registry import adapter_for
from quotas.enforcement.diff import diff
from quotas.enforcement.ports import Adapter, ApplyResult, Change, Observed, PlacementChanges
from quotas.plans.contracts import EffectiveLimit, EffectiveLimits, Policy, Source
from tenants.contracts import PlacementRef, TargetRef

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def limits(
    values: Mapping[str, int | None],
    *,
    tenant: str = "acme",
    suspended: bool = False,
    policy: Policy | None = None,
) -> EffectiveLimits:
    """Effective limits with these values, in base units."""
    return EffectiveLimits(
        tenant=tenant,
        at=NOW,
        plan="standard",
        version=1,
        policy=policy or Policy(),
        limits={key: EffectiveLimit(key, value, Source.PLAN, "") for key, value in values.items()},
        suspended=suspended,
    )


@dataclass(frozen=True)
class Plane:
    """A target and what is done to it."""

    target: TargetRef

    @property
    def adapter(self) -> Adapter:
        """Of the target's kind."""
        return adapter_for(self.target.kind)

    def see(self, placement: PlacementRef, *, everything: bool = False) -> Observed:
        """Look at one placement."""
        observation = self.adapter.observe(
            target=self.target, placements=[placement], everything=everything
        )
        assert observation.failures == {}
        return observation.placements[placement.id]

    def differences(
        self, wanted: EffectiveLimits | None, placement: PlacementRef, *, everything: bool = False
    ) -> tuple[Change, ...]:
        """What is still to be done."""
        return self.compare(wanted, placement, self.see(placement, everything=everything))

    def compare(
        self, wanted: EffectiveLimits | None, placement: PlacementRef, observed: Observed
    ) -> tuple[Change, ...]:
        """What is still to be done, after a look."""
        compiled = self.adapter.compile(limits=wanted, placement=placement, target=self.target)
        return diff(compiled.objects, observed.objects)

    def push(
        self, wanted: EffectiveLimits | None, placement: PlacementRef, *, force: bool = False
    ) -> ApplyResult:
        """Look and do what is to be done, once."""
        changes = self.differences(wanted, placement)
        results: list[ApplyResult] = []
        work = PlacementChanges(
            placement, changes, force=force, reason="a test", identity="headroom:test"
        )
        self.adapter.apply(target=self.target, work=[work], on_result=results.append)
        assert len(results) == 1
        return results[0]

    def settle(
        self, wanted: EffectiveLimits | None, placement: PlacementRef, *, force: bool = False
    ) -> None:
        """Push, and make sure that nothing is left to be done, however one looks."""
        result = self.push(wanted, placement, force=force)
        assert result.error is None
        for everything in (False, True):
            left = self.differences(wanted, placement, everything=everything)
            assert left == (), [(str(change.ref), change.fields) for change in left]

    def leave(self, placement: PlacementRef) -> None:
        """Take everything of ours away."""
        self.settle(None, replace(placement, leaving=True))
