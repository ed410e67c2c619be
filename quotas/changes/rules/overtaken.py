"""Two people edited one plan: what each of them changed, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quotas.plans.charts import human, label_of
from quotas.plans.contracts import PlanTerms


@dataclass(frozen=True, slots=True)
class ThreeWays:
    """One limit in the version that was edited, in the newer one, and as it was typed."""

    key: str
    label: str
    before: str
    theirs: str
    yours: str

    @property
    def collides(self) -> bool:
        """Both changed it, to different values."""
        return (
            self.before != self.theirs and self.theirs != self.yours and (self.yours != self.before)
        )


def three_ways(
    base: PlanTerms, newer: PlanTerms, typed: Mapping[str, int | None]
) -> Sequence[ThreeWays]:
    """Every limit that the newer version changed, or that was typed differently from it."""
    keys = sorted({*base.limits, *newer.limits, *typed})
    lines = [
        ThreeWays(
            key,
            label_of(key),
            *(
                human(key, limits[key]) if key in limits else "not set"
                for limits in (base.limits, newer.limits, typed)
            ),
        )
        for key in keys
    ]
    return [line for line in lines if not line.before == line.theirs == line.yours]
