"""Writing task queues: all changes of one queue in as few calls as the server takes.

The server allows a burst of 100 changes and then 10 a second; the client keeps to that.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from typing import Final

from console.clients.contracts import UNCHANGED, QueueConfig, Unchanged
from console.clients.temporal.client import TemporalClient
from console.deadline import ContextPool
from console.errors import ExternalError
from quotas.enforcement.adapters.temporal.names import OURS
from quotas.enforcement.adapters.temporal.observe import observed_object
from quotas.enforcement.diff import stored_otherwise
from quotas.enforcement.ports import Altered, ApplyResult, Change, Operation, PlacementChanges
from tenants.adapters.temporal import SharedQueue

WEIGHTS_PER_CALL: Final = 1000
NUDGE_CALLS: Final = 2
BURST: Final = 100
PER_SECOND: Final = 10
"""Changes that the server takes of a namespace: so many at once, then so many a second."""
GATHERING: Final = 0.1
"""Seconds for which the server gathers changes before it answers."""
LONGEST_HOLD: Final = 2.0
"""Seconds that a task may stay held by a weight that was raised meanwhile."""
PATIENCE: Final = 2.0
"""Seconds that we wait for a change to be seen."""
PAUSE: Final = 0.05
Rate = int | Unchanged | None


@dataclass(slots=True)
class _QueueChanges:
    """The changes of one queue."""

    queue: str
    changes: list[tuple[PlacementChanges, Change]] = field(default_factory=list)

    @property
    def weights(self) -> dict[str, int]:
        return {
            change.ref.part: weight
            for _, change in self.changes
            if change.ref.part and isinstance(weight := _wanted(change, "weight"), int)
        }

    @property
    def gone(self) -> list[str]:
        return [
            change.ref.part
            for _, change in self.changes
            if change.ref.part and change.operation is Operation.DELETE
        ]

    @property
    def reason(self) -> str:
        return "; ".join(dict.fromkeys(work.reason for work, _ in self.changes if work.reason))

    @property
    def identity(self) -> str:
        return ", ".join(dict.fromkeys(signed(work.identity) for work, _ in self.changes))


def signed(identity: str) -> str:
    """Who made a change, told as ours: observation recognises our own writes by it."""
    return identity if identity.startswith(OURS) else f"{OURS}:{identity}"


def run(
    client: TemporalClient,
    work: Sequence[PlacementChanges],
    shared: dict[str, SharedQueue],
    *,
    concurrency: int,
    on_result: Callable[[ApplyResult], None],
) -> None:
    """Do the work of many placements; each is reported when its queue is done."""
    outcome = _Outcome(work, on_result)
    batches = _batches(work)
    with ContextPool(
        max_workers=max(1, min(concurrency, len(batches))), thread_name_prefix="queues"
    ) as pool:
        futures = {
            pool.submit(_write, client, batch, shared.get(batch.queue)): batch for batch in batches
        }
        for future in as_completed(futures):
            outcome.note(futures[future], future.result())


class _Outcome:
    """What came of each placement's changes, reported when its last queue is done."""

    def __init__(
        self, work: Sequence[PlacementChanges], on_result: Callable[[ApplyResult], None]
    ) -> None:
        self._on_result = on_result
        self._begun = time.monotonic()
        self._waiting = {
            requested.placement.id: {change.ref.name for change in requested.changes}
            for requested in work
        }
        self._errors: dict[int, Exception] = {}
        self._altered: dict[int, list[Altered]] = defaultdict(list)
        self._calls: dict[int, int] = defaultdict(int)
        for requested in work:
            if not requested.changes:
                self._report(requested)

    def note(self, batch: _QueueChanges, written: _Written) -> None:
        """One queue is done."""
        # Counted once, whoever it served.
        self._calls[batch.changes[0][0].placement.id] += written.calls
        for served, change in batch.changes:
            if (entry := _stored_otherwise(change, written.stored)) is not None:
                self._altered[served.placement.id].append(entry)
        for served in _works(batch):
            number = served.placement.id
            self._waiting[number].discard(batch.queue)
            if written.error is not None:
                self._errors.setdefault(number, written.error)
            if not self._waiting[number]:
                self._report(served)

    def _report(self, requested: PlacementChanges) -> None:
        number = requested.placement.id
        error = self._errors.get(number)
        self._on_result(
            ApplyResult(
                placement=requested.placement,
                done=requested.changes if error is None else (),
                error=error,
                calls=self._calls[number],
                seconds=time.monotonic() - self._begun,
                altered=tuple(self._altered[number]),
            )
        )


def _batches(work: Iterable[PlacementChanges]) -> list[_QueueChanges]:
    by_queue: dict[str, _QueueChanges] = {}
    for requested in work:
        for change in requested.changes:
            batch = by_queue.setdefault(change.ref.name, _QueueChanges(change.ref.name))
            batch.changes.append((requested, change))
    return list(by_queue.values())


def _works(batch: _QueueChanges) -> list[PlacementChanges]:
    return list({work.placement.id: work for work, _ in batch.changes}.values())


def _wanted(change: Change, path: str) -> object:
    return None if change.desired is None else change.desired.fields.get(path)


@dataclass(frozen=True, slots=True)
class _Written:
    """Calls made (as far as is known when one fails), the queue as the server stored it, and what
    went wrong."""

    calls: int
    stored: QueueConfig | None = None
    error: ExternalError | None = None


def _stored_otherwise(change: Change, stored: QueueConfig | None) -> Altered | None:
    there = None if stored is None else observed_object(change.ref, stored)
    return None if there is None else stored_otherwise(change, there)


def _write(client: TemporalClient, batch: _QueueChanges, shared: SharedQueue | None) -> _Written:
    try:
        if any(change.ref.part for _, change in batch.changes):
            return _write_shared(client, batch, shared)
        return _write_dedicated(client, batch)
    except ExternalError as error:
        return _Written(1, error=error)


def _write_dedicated(client: TemporalClient, batch: _QueueChanges) -> _Written:
    stored: QueueConfig | None = None
    for _, change in batch.changes:
        rate = _wanted(change, "queue_rate")
        stored = client.update_queue(
            batch.queue,
            queue_rate=rate if isinstance(rate, int) else None,
            reason=batch.reason,
            identity=batch.identity,
        )
        wait_until_seen(client, stored)
    return _Written(len(batch.changes), stored)


def _write_shared(
    client: TemporalClient, batch: _QueueChanges, shared: SharedQueue | None
) -> _Written:
    old = client.queue_config(batch.queue)
    base, limit = own_rates(shared, old)
    weights, gone = batch.weights, [key for key in batch.gone if key in old.weights]
    stored = client.update_queue(
        batch.queue,
        queue_rate=limit,
        key_default=base,
        set_weights=weights,
        unset_weights=gone,
        reason=batch.reason,
        identity=batch.identity,
    )
    calls = max(1, -(-(len(weights) + len(gone)) // WEIGHTS_PER_CALL))
    if any(_holds_back(old, key, weight) for key, weight in weights.items()):
        client.nudge_key_default(batch.queue, reason=batch.reason, identity=batch.identity)
        calls += NUDGE_CALLS
    wait_until_seen(client, stored)
    return _Written(calls, stored)


def wait_until_seen(client: TemporalClient, stored: QueueConfig) -> None:
    """A queue's partitions hear of a change a moment after it was stored (longer on a busy server),
    and a look in between would take the old values for drift."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if _limits_of(client.queue_config(stored.queue)) == _limits_of(stored):
            return
        time.sleep(PAUSE)


def _limits_of(config: QueueConfig) -> tuple[object, ...]:
    return config.queue_rate.milli, config.key_default.milli, config.weights


def own_rates(shared: SharedQueue | None, old: QueueConfig) -> tuple[Rate, Rate]:
    """Base rate and limit of a shared queue as they are to be written: unchanged if they fit."""
    if shared is None:  # no longer declared: only the keys of tenants who leave are touched
        return UNCHANGED, UNCHANGED
    base: Rate = UNCHANGED if old.key_default.milli == shared.base_rate else shared.base_rate
    limit: Rate = UNCHANGED if old.queue_rate.milli == shared.queue_rate else shared.queue_rate
    return base, limit


def _holds_back(old: QueueConfig, key: str, weight: int) -> bool:
    """Whether tasks of a key stay held by its old, tiny weight after it was raised: up to one over
    the old rate, in seconds."""
    before, base = old.weights.get(key), old.key_default.milli
    if before is None or base is None or weight <= before:
        return False
    return LONGEST_HOLD * before * base < 1_000_000


def seconds(calls: int, latency_ms: float, concurrency: int) -> float:
    """How long so many writes take at least, with a burst that nobody has used yet."""
    side_by_side = calls * (GATHERING + latency_ms / 1000) / max(1, min(calls, concurrency))
    return max(side_by_side, (calls - BURST) / PER_SECOND)


def cost(work: Sequence[PlacementChanges]) -> int:
    """How many writes `run` makes: one per dedicated queue, one per thousand keys of a shared one,
    and two more where a tiny weight is raised."""
    return sum(map(_calls, _batches(work)))


def _calls(batch: _QueueChanges) -> int:
    keys = sum(bool(change.ref.part) for _, change in batch.changes)
    if not keys:
        return len(batch.changes)
    resumed = any(map(_resumes, (change for _, change in batch.changes)))
    return -(-keys // WEIGHTS_PER_CALL) + (NUDGE_CALLS if resumed else 0)


def _resumes(change: Change) -> bool:
    before = next((item.before for item in change.fields if item.path == "weight"), "")
    return change.operation is Operation.UPDATE and before.startswith("0.00")
