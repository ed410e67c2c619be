"""The plane in memory, of a kind that tells whether it is unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from quotas.enforcement.ports import Comparison, Observation
from tenants.contracts import PlacementRef, TargetRef, Unreadable
from tests.quotas.enforcement.fakes import FakePlane


@dataclass
class ComparingPlane(FakePlane):
    """What is on it is its mark; `unreadable` is what each observation could not read."""

    comparisons: int = 0
    on_compare: Callable[[], None] | None = None
    unreadable: tuple[Unreadable, ...] = ()

    def compared(self, *, target: TargetRef, locations: Sequence[str], since: Any) -> Comparison:
        """By everything that is on it."""
        self.comparisons += 1
        if self.on_compare:
            self.on_compare()
        self._raise(target)
        here = {place: vars(thing) for place, thing in self.things.items()}
        mark = repr((sorted(here.items()), sorted(self.used.items()), list(locations)))
        return Comparison(same=mark == since, mark=mark, reads=1)

    def observe(
        self, *, target: TargetRef, placements: Sequence[PlacementRef], everything: bool
    ) -> Observation:
        """With what cannot be read."""
        made = super().observe(target=target, placements=placements, everything=everything)
        return Observation(
            made.placements, made.reads, made.orphans, made.failures, unreadable=self.unreadable
        )
