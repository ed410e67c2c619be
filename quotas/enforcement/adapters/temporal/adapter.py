"""Temporal: one placement is a task queue of a tenant's own, or a fairness key on a shared one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from console.clients.contracts import UNCHANGED
from console.clients.temporal.client import TemporalClient
from console.clients.temporal.name_checks import LONGEST_KEY, check_queue
from console.errors import ExternalError, Refused
from quotas.enforcement.adapters.temporal import apply, observe
from quotas.enforcement.adapters.temporal.compile import compiled
from quotas.enforcement.ports import (
    ApplyResult,
    Comparison,
    Compiled,
    Health,
    Observation,
    PlacementChanges,
)
from quotas.plans.contracts import EffectiveLimits
from tenants.adapters.temporal import client_for, namespace, options_error, shared_queues
from tenants.contracts import PlacementRef, TargetRef

IDENTITY: Final = "headroom"
RETENTION: Final = 3 * 86400
"""Seconds that a namespace made by us keeps closed workflows, if the target does not say."""
_PROBE_QUEUE: Final = "headroom-permission-probe"


class TemporalAdapter:
    """Meets quotas.enforcement.ports.Adapter."""

    kind = "temporal"
    label = "Temporal"
    location_label = "Task queue"
    batch = apply.WEIGHTS_PER_CALL
    options_error = staticmethod(options_error)

    def compile(
        self, *, limits: EffectiveLimits | None, placement: PlacementRef, target: TargetRef
    ) -> Compiled:
        """A rate, or a weight; see `compile.py`."""
        return compiled(limits, placement, target)

    def observe(
        self, *, target: TargetRef, placements: Sequence[PlacementRef], everything: bool
    ) -> Observation:
        """Each distinct queue once; use and workers too, unless all of many queues are read."""
        return observe.observe(
            client_for(target), placements, everything=everything, concurrency=target.concurrency
        )

    def compared(self, *, target: TargetRef, locations: Sequence[str], since: Any) -> Comparison:
        """By a digest of what is read of each queue: it cannot be watched, but most of the work is
        in what follows."""
        client = client_for(target)
        before = client.counter.copy()
        mark = observe.digest(client, locations, concurrency=target.concurrency)
        reads = client.counter.since(before).reads
        return Comparison(same=bool(mark) and mark == since, mark=mark or None, reads=reads)

    def apply(
        self,
        *,
        target: TargetRef,
        work: Sequence[PlacementChanges],
        on_result: Callable[[ApplyResult], None],
    ) -> None:
        """All changes of a queue together, with reason and identity. The last write wins there, so
        `force` makes no difference."""
        apply.run(
            client_for(target),
            work,
            shared_queues(target),
            concurrency=target.concurrency,
            on_result=on_result,
        )

    def probe(self, *, target: TargetRef, regular: bool = False) -> Health:
        """Version, namespace, permissions; features: `fairness` and the version it was found on.

        Finding out about fairness takes two seconds, so the answer is kept until the version
        changes.
        """
        del regular
        client = client_for(target)
        server = client.probe()
        where = namespace(target)
        missing: tuple[str, ...] = ()
        warnings: list[str] = []
        fairness: bool | None = None
        if server.namespace_exists:
            missing = _missing(client)
            fairness = _known_fairness(target, server.version)
            if fairness is None:
                fairness = client.fairness_enabled()
        else:
            warnings.append(f"Namespace {where} does not exist.")
        if fairness is False:
            warnings.append(
                "Fairness is off (matching.enableFairness): shared task queues are refused."
            )
        return Health(
            latency_ms=server.latency_ms,
            version=server.version,
            features={
                "fairness": fairness,
                "fairness_version": server.version,
                "namespace_exists": server.namespace_exists,
            },
            missing=missing,
            warnings=tuple(warnings),
        )

    def cost(self, *, target: TargetRef, work: Sequence[PlacementChanges]) -> int:
        """One call per dedicated queue, one per thousand keys of a shared one."""
        del target
        return apply.cost(work)

    def seconds(self, *, calls: int, latency_ms: float, concurrency: int) -> float:
        """The server gathers writes for a tenth of a second, and takes 10/s after a burst."""
        return apply.seconds(calls, latency_ms, concurrency)

    def prepare(self, *, target: TargetRef) -> int:
        """The namespace if the target asks for it (`create_namespace`), the shared queues' own
        rates, and the search attribute by which jobs are found."""
        client = client_for(target)
        written = 0
        if target.options.get("create_namespace") is True:
            seconds = int(target.options.get("retention_seconds") or RETENTION)
            written += client.register_namespace(
                retention=seconds, description="Created by Headroom"
            )
        for queue in shared_queues(target).values():
            base, limit = apply.own_rates(queue, client.queue_config(queue.name))
            if (base, limit) != (UNCHANGED, UNCHANGED):
                stored = client.update_queue(
                    queue.name,
                    queue_rate=limit,
                    key_default=base,
                    reason=f"Rates of the shared queue, from target {target.slug}",
                    identity=IDENTITY,
                )
                apply.wait_until_seen(client, stored)
                written += 1
        return written + bool(client.ensure_search_attributes({"TenantId": "Keyword"}))

    def validate(
        self, *, location: str, sharing: str, fairness_key: str, target: TargetRef
    ) -> Mapping[str, str]:
        """A queue name the server would take for what it is, and a key where it is shared."""
        problems = {}
        try:
            check_queue(location)
        except Refused as refused:
            problems["location"] = f"{refused.message[:1].upper()}{refused.message[1:]}."
        if location != location.strip():
            problems["location"] = "A task queue's name has no blanks around it."
        shared = location in shared_queues(target)
        if sharing == "shared":
            if not shared:
                problems["location"] = (
                    f"{location!r} is not a shared queue of this target: declare it there first."
                )
            if not 1 <= len(fairness_key.encode()) <= LONGEST_KEY:
                problems["fairness_key"] = f"A fairness key has 1 to {LONGEST_KEY} bytes."
        elif shared:
            problems["sharing"] = f"{location} is a shared queue: the tenant needs a fairness key."
        elif fairness_key:
            problems["fairness_key"] = "A dedicated queue has no fairness keys."
        return problems


def _known_fairness(target: TargetRef, version: str) -> bool | None:
    if target.features.get("fairness_version") != version:
        return None
    known = target.features.get("fairness")
    return known if isinstance(known, bool) else None


def _missing(client: TemporalClient) -> tuple[str, ...]:
    """What we may not do, found out by doing what changes nothing."""
    attempts: tuple[tuple[str, Callable[[], object]], ...] = (
        ("DescribeTaskQueue (read)", lambda: client.queue_config(_PROBE_QUEUE)),
        (
            "UpdateTaskQueueConfig (write)",
            lambda: client.update_queue(_PROBE_QUEUE, reason="", identity=IDENTITY),
        ),
    )
    return tuple(name for name, attempt in attempts if not _allowed(attempt))


def _allowed(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except ExternalError as error:
        if error.code in ("forbidden", "unauthenticated"):
            return False
        raise
    return True
