"""Our queue of rollout items: claim a batch, observe, write what differs, settle each item."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.utils import timezone

from console.database.claims import Claim
from console.errors import ExternalError, Unexpected
from quotas.enforcement import rules
from quotas.enforcement.models import ItemState, Rollout, RolloutItem, RolloutKind, TargetState
from quotas.enforcement.ports import ApplyResult, Operation
from quotas.enforcement.reconcile import settle, states
from quotas.enforcement.reconcile.attempt import Attempt, Settlement
from quotas.enforcement.reconcile.claims import claim_end, claimed
from quotas.enforcement.reconcile.observation_cache import ObservationCache
from quotas.enforcement.reconcile.planning import PlacementPlan, compare, target_ref
from quotas.enforcement.reconcile.writing import write
from quotas.enforcement.selectors.loop import current_limits, placement_refs, takeable
from tenants.contracts import PlacementRef
from tenants.models import DriftPolicy, Target

log = structlog.get_logger(__name__)

QUEUE_SECONDS = 240
"""After so long a run ends and a new task goes on: below the hard limit of a task."""


@dataclass(slots=True)
class Processed:
    """What a run over the queue did: placements settled (how many, and which were tried), whether
    objects were made whose use nobody has seen yet, whether the target answers again, whether more
    waits that this run had no time for."""

    settled: int = 0
    placements: set[int] = field(default_factory=set)
    created: bool = False
    recovered: bool = False
    unfinished: bool = False


def process_queue(target_id: int, done: Processed | None = None) -> Processed:
    """Settles everything that waits for a target. Safe to run at any time, anywhere, twice. Adds to
    `done`, if that is given.

    When somebody else holds the target there is nothing to do here: the holder looks again after
    it has let go, so nothing that was added meanwhile is left over.
    """
    done = done or Processed()
    deadline = time.monotonic() + QUEUE_SECONDS
    target = Target.objects.filter(pk=target_id, enabled=True).first()
    while target is not None and is_ready(target_id):
        with claimed(target_id) as claim:
            if claim is None:
                return done
            process_claimed(target, claim, deadline, done)
            if claim.lost:
                return done
        if time.monotonic() >= deadline:
            done.unfinished = is_ready(target_id)
            return done
    return done


def is_ready(target_id: int) -> bool:
    """Whether something waits that can be done now."""
    now = timezone.now()
    resting = TargetState.objects.filter(target_id=target_id, not_before__gt=now)
    return not resting.exists() and takeable(target_id, now).exists()


@dataclass(slots=True)
class _ClaimedBatch:
    """What was claimed together, what became of it, and what befell the target: `unreadable` while
    it was observed, `down` while it was written to. `failed` are mistakes of ours with one
    placement, by its id."""

    items: dict[int, RolloutItem]
    now: datetime
    attempts: dict[int, Attempt] = field(default_factory=dict)
    unobserved: dict[int, str] = field(default_factory=dict)
    failed: dict[int, Exception] = field(default_factory=dict)
    unreadable: ExternalError | None = None
    down: ExternalError | None = None


def process_claimed(target: Target, claim: Claim, deadline: float, done: Processed) -> None:
    """Settles what waits, under a claim that is held, batch by batch; while one is written down
    here, the plane is at the next one already."""
    cache = ObservationCache(target, target_ref(target))
    before: _ClaimedBatch | None = None
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="queue") as aside:
        while True:
            usable = before is None or before.down is None
            batch: _ClaimedBatch | None = None
            if usable and not claim.lost and time.monotonic() < deadline:
                batch = _begin(cache, claim, under_way=before.items if before else ())
            if before is None and batch is not None:
                batch.down = write(cache, batch.attempts)
            elif before is not None:
                writing = aside.submit(write, cache, batch.attempts) if batch else None
                try:
                    _conclude(cache, claim, before, done)
                finally:
                    if batch and writing:
                        batch.down = writing.result()
            if batch is None:
                return
            if batch.unreadable is not None:
                settle.give_back(batch.items.values(), claim.token)
                states.target_down(target.pk, batch.unreadable, timezone.now())
                return
            before = batch


def claim_items(
    target_id: int, token: str, *, most: int, under_way: Collection[int] = ()
) -> dict[int, RolloutItem]:
    """Claims the items of up to `most` placements: the newest of each by placement id; older
    ones of the same placement end as superseded. Small rollouts go first: somebody waits for them.
    Placements `under_way` are left for later.
    """
    now = timezone.now()
    waiting = takeable(target_id, now).order_by("rollout__total", "pk")
    ids = waiting.values_list("placement_id", flat=True)[: most * 2]
    chosen = [pk for pk in dict.fromkeys(ids) if pk not in under_way][:most]
    if not chosen:
        return {}
    free = Q(state=ItemState.WAITING) | Q(state=ItemState.RUNNING, claimed_until__lt=now)
    with transaction.atomic():
        RolloutItem.objects.filter(free, target_id=target_id, placement_id__in=chosen).update(
            state=ItemState.RUNNING,
            claim=token,
            claimed_until=claim_end(),
            attempts=F("attempts") + 1,
        )
        items = list(
            RolloutItem.objects.filter(
                claim=token, state=ItemState.RUNNING, placement_id__in=chosen
            )
            .select_related("rollout")
            .order_by("pk")
        )
        Rollout.objects.filter(pk__in={item.rollout_id for item in items}, started_at=None).update(
            started_at=now
        )
        return _newest(items, now)


def _newest(items: Sequence[RolloutItem], now: datetime) -> dict[int, RolloutItem]:
    by_placement: dict[int, list[RolloutItem]] = defaultdict(list)
    for item in items:
        by_placement[item.placement_id].append(item)
    newest = {}
    replaced: dict[int, list[int]] = defaultdict(list)
    for placement_id, rows in by_placement.items():
        last = rows[-1]
        last.force = any(item.force for item in rows)
        newest[placement_id] = last
        replaced[last.rollout_id] += [item.pk for item in rows[:-1]]
    for rollout_id, ids in replaced.items():
        RolloutItem.objects.filter(pk__in=ids).update(
            state=ItemState.SUPERSEDED,
            claim="",
            claimed_until=None,
            code="superseded",
            message=f"Rollout {rollout_id} covers this placement.",
            finished_at=now,
        )
    if any(replaced.values()):
        gone = {item.rollout_id for rows in by_placement.values() for item in rows[:-1]}
        states.finish_rollouts(gone, now)
    return newest


def _begin(
    cache: ObservationCache, claim: Claim, *, under_way: Collection[int]
) -> _ClaimedBatch | None:
    """Takes a batch, looks and compares: what is to be written; None when nothing waits."""
    items = claim_items(cache.target.pk, claim.token, most=cache.adapter.batch, under_way=under_way)
    if not items:
        return None
    batch = _ClaimedBatch(items, timezone.now())
    try:
        _compare(cache, batch)
    except DatabaseError:
        raise
    except ExternalError as error:
        batch.unreadable = error
    except Exception as error:
        # Whose fault it is cannot be told: none of them is tried again and again.
        log.exception("queue.failed", target=cache.target.slug, placements=len(items))
        batch.attempts, batch.failed = {}, dict.fromkeys(items, error)
    return batch


def _compare(cache: ObservationCache, batch: _ClaimedBatch) -> None:
    """Looks and compares: what is to be written of a batch."""
    items = batch.items
    placements = placement_refs(cache.target, items)
    limits = current_limits({ref.tenant_id for ref in placements.values()}, batch.now)
    observation = cache.observe(placements)
    plans, batch.failed = compare(
        target=cache.ref, placements=placements, limits=limits, observation=observation
    )
    for pk, plan in plans.items():
        split = _split(plan, items[pk])
        if isinstance(split, Exception):
            # What is still to be done is noted with it: so it is not ordered again and again.
            nothing = rules.OwnershipSplit(())
            result = ApplyResult(plan.placement, (), Unexpected(split))
            batch.attempts[pk] = Attempt(items[pk], plan, nothing, result)
        else:
            batch.attempts[pk] = Attempt(items[pk], plan, split)
    batch.unobserved = {
        items[pk].pk: observation.failures.get(pk, "It could not be read.")
        for pk in items
        if pk not in batch.attempts and pk not in batch.failed
    }


def _split(plan: PlacementPlan, item: RolloutItem) -> rules.OwnershipSplit | Exception:
    try:
        return rules.split_by_owner(
            plan.changes,
            plan.observed,
            force=item.force,
            over_edits=_over_edits(plan.placement, item),
        )
    except Exception as error:
        log.exception("split.failed", placement=plan.placement.id, tenant=plan.placement.tenant)
        return error


def _conclude(cache: ObservationCache, claim: Claim, batch: _ClaimedBatch, done: Processed) -> None:
    """Writes down how a batch ended, and whether the target can be used."""
    settle.settle(
        cache.target,
        claim,
        Settlement(batch.items, batch.attempts, batch.unobserved, batch.failed),
        batch.now,
    )
    done.settled += len(batch.attempts) + len(batch.failed)
    done.placements.update(batch.items)
    done.created |= any(
        change.operation is Operation.CREATE
        for attempt in batch.attempts.values()
        for change in attempt.done
    )
    if batch.down is not None:
        states.target_down(cache.target.pk, batch.down, timezone.now())
        return
    done.recovered |= states.target_up(cache.target.pk, batch.now)


def _over_edits(placement: PlacementRef, item: RolloutItem) -> bool:
    healing = placement.drift_policy == DriftPolicy.HEAL
    return healing or item.rollout.kind == RolloutKind.REPAIR
