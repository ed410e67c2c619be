"""Celery: one placement is a tenant's own queue; its limits are told to the workers that consume
it, by remote control. See compile.py for what can be said, observe.py for what is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from console.deadline import in_time
from quotas.enforcement.adapters.celery import apply, observe
from quotas.enforcement.adapters.celery.compile import compiled
from quotas.enforcement.adapters.celery.consumers import QUEUES
from quotas.enforcement.ports import ApplyResult, Compiled, Health, Observation, PlacementChanges
from quotas.plans.contracts import EffectiveLimits
from tenants.adapters.celery import LONGEST_NAME, client_for, options_error
from tenants.contracts import PlacementRef, TargetRef

MOST_CALLS: Final = 8
"""Orders that a queue takes at most, as far as can be told beforehand: one per task type."""


class CeleryAdapter:
    """Meets quotas.enforcement.ports.Adapter."""

    kind = "celery"
    label = "Celery"
    location_label = "Queue"
    batch = 200
    options_error = staticmethod(options_error)

    def __init__(self) -> None:
        """What was paused in this process is remembered until a probe has seen it."""
        self._memory = observe.Memory()

    def compile(
        self, *, limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
    ) -> Compiled:
        """The rate of a queue, or nobody to consume it; see `compile.py`."""
        return compiled(limits, placement, target)

    def observe(
        self, *, target: TargetRef, placements: Sequence[PlacementRef], everything: bool
    ) -> Observation:
        """All workers are asked, whomever it is about: it costs the same."""
        del everything
        return observe.observe(client_for(target), target, placements, self._memory)

    def apply(
        self,
        *,
        target: TargetRef,
        work: Sequence[PlacementChanges],
        on_result: Callable[[ApplyResult], None],
    ) -> None:
        """Queue by queue. Workers keep no names of who told them, so `force` makes no difference
        and reasons are in our ledger only."""
        apply.run(client_for(target), target, work, self._memory, on_result=on_result)

    def probe(self, *, target: TargetRef, regular: bool = False) -> Health:
        """The broker, its workers, and which queue belongs to which of them."""
        del regular
        return in_time(lambda: self._probe(target))

    def _probe(self, target: TargetRef) -> Health:
        client = client_for(target)
        broker = client.probe()
        workers = observe.ask(client, target, self._memory)
        nobody = () if workers.active else ("No worker is online.",)
        warnings = (*nobody, *observe.same_names(workers.active, workers))
        return Health(
            latency_ms=broker.latency_ms,
            version=f"{broker.product} {broker.version}".strip(),
            features={"workers": sorted(workers.active), QUEUES: dict(workers.belongs)},
            warnings=warnings,
        )

    def cost(self, *, target: TargetRef, work: Sequence[PlacementChanges]) -> int:
        """One order per task type and queue; how many types there are is known only there."""
        del target
        return sum(MOST_CALLS for requested in work for _ in requested.changes)

    def seconds(self, *, calls: int, latency_ms: float, concurrency: int) -> float:
        """One order after the other, after a second in which workers answer."""
        del concurrency
        return (1.0 if calls else 0.0) + calls * 2 * latency_ms / 1000

    def prepare(self, *, target: TargetRef) -> int:
        """Workers that were started without `-E` send their events from now on."""
        if target.options.get("enable_events") is not True:
            return 0
        return in_time(lambda: _enable_events(target))

    def validate(
        self, *, location: str, sharing: str, fairness_key: str, target: TargetRef
    ) -> Mapping[str, str]:
        """A queue of the tenant's own."""
        del target
        problems = {}
        if not location or location != location.strip():
            problems["location"] = "A queue's name is not empty and has no blanks around it."
        elif len(location) > LONGEST_NAME or not location.isprintable() or "," in location:
            problems["location"] = (
                f"A queue's name has at most {LONGEST_NAME} printable characters and no comma."
            )
        if sharing == "shared":
            problems["sharing"] = (
                "Celery cannot tell tenants apart on one queue: give the tenant a dedicated one."
            )
        if fairness_key:
            problems["fairness_key"] = "A Celery queue has no fairness keys."
        return problems


def _enable_events(target: TargetRef) -> int:
    with client_for(target).control() as control:
        return len(control.enable_events())
