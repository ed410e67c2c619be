"""Carrying out what waits: take a batch, look, write what differs, note how each one ended."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from console.errors import ExternalError, Unreachable
from quotas.enforcement import rules
from quotas.enforcement.models import ItemState, Rollout, RolloutItem, RolloutKind, TargetState
from quotas.enforcement.ports import Operation, Result, Work
from quotas.enforcement.reconcile import outcome, record
from quotas.enforcement.reconcile.claims import Claim, claim_end, claimed
from quotas.enforcement.reconcile.glance import Eyes
from quotas.enforcement.reconcile.outcome import Attempt
from quotas.enforcement.selectors.loop import (
    Site,
    current_limits,
    sites,
    takeable,
)
from quotas.enforcement.services.planning import compare, target_ref
from tenants.models import DriftPolicy, Target

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 240
"""After so long a drain ends and a new task goes on: below the hard limit of a task."""


@dataclass(slots=True)
class Drained:
    """What a drain did: placements settled (how many, and which were tried), whether objects were
    made whose use nobody has seen yet, whether the target answers again, whether more waits that
    this run had no time for."""

    settled: int = 0
    placements: set[int] = field(default_factory=set)
    created: bool = False
    recovered: bool = False
    unfinished: bool = False


def drain(target_id: int, done: Drained | None = None) -> Drained:
    """Settles everything that waits for a target. Safe to run at any time, anywhere, twice. Adds to
    `done`, if that is given.

    When somebody else holds the target there is nothing to do here: the holder looks again after
    it has let go, so nothing that was added meanwhile is left over.
    """
    done = done or Drained()
    deadline = time.monotonic() + DRAIN_SECONDS
    target = Target.objects.filter(pk=target_id, enabled=True).first()
    while target is not None and is_ready(target_id):
        with claimed(target_id) as claim:
            if claim is None:
                return done
            drain_claimed(target, claim, deadline, done)
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
class _Turn:
    """One batch: what was taken, what became of it, and the error that befell the target."""

    items: dict[int, RolloutItem]
    now: datetime
    attempts: dict[int, Attempt] = field(default_factory=dict)
    unseen: dict[int, str] = field(default_factory=dict)
    unread: ExternalError | None = None
    down: ExternalError | None = None


def drain_claimed(target: Target, claim: Claim, deadline: float, done: Drained) -> None:
    """Settles what waits, under a claim that is held, batch by batch; while one is written down
    here, the plane is at the next one already."""
    eyes = Eyes(target, target_ref(target))
    before: _Turn | None = None
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="drain") as aside:
        while True:
            usable = before is None or before.down is None
            turn: _Turn | None = None
            if usable and not claim.lost and time.monotonic() < deadline:
                turn = _begin(eyes, claim, under_way=before.items if before else ())
            if before is None and turn is not None:
                turn.down = _write(eyes, turn.attempts)
            elif before is not None:
                writing = aside.submit(_write, eyes, turn.attempts) if turn else None
                try:
                    _conclude(eyes, claim, before, done)
                finally:
                    if turn and writing:
                        turn.down = writing.result()
            if turn is None:
                return
            if turn.unread is not None:
                outcome.give_back(turn.items.values(), claim.token)
                record.target_down(target.pk, turn.unread, timezone.now())
                return
            before = turn


def take(
    target_id: int, token: str, *, batch: int, under_way: Collection[int] = ()
) -> dict[int, RolloutItem]:
    """Claims the items of up to `batch` placements: the newest of each by placement id; older
    ones of the same placement end as superseded. Small rollouts go first: somebody waits for them.
    Placements `under_way` are left for later.
    """
    now = timezone.now()
    waiting = takeable(target_id, now).order_by("rollout__total", "pk")
    ids = waiting.values_list("placement_id", flat=True)[: batch * 2]
    chosen = [pk for pk in dict.fromkeys(ids) if pk not in under_way][:batch]
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
        record.finish_rollouts(gone, now)
    return newest


def _begin(eyes: Eyes, claim: Claim, *, under_way: Collection[int]) -> _Turn | None:
    """Takes a batch, looks and compares: what is to be written; None when nothing waits."""
    items = take(eyes.target.pk, claim.token, batch=eyes.adapter.batch, under_way=under_way)
    if not items:
        return None
    turn = _Turn(items, timezone.now())
    found = sites(eyes.target, items)
    limits = current_limits({site.tenant_id for site in found.values()}, turn.now)
    try:
        seen = eyes.look(found)
    except ExternalError as error:
        turn.unread = error
        return turn
    prospects = compare(target=eyes.target, ref=eyes.ref, found=found, limits=limits, seen=seen)
    for pk, prospect in prospects.items():
        leave = rules.leave_to_write(
            prospect.changes,
            prospect.observed,
            force=items[pk].force,
            over_edits=_over_edits(prospect.site, items[pk]),
        )
        turn.attempts[pk] = Attempt(items[pk], prospect, leave)
    turn.unseen = {items[pk].pk: seen.failures.get(pk, "It could not be read.")
                   for pk in items if pk not in turn.attempts}  # fmt: skip
    return turn


def _conclude(eyes: Eyes, claim: Claim, turn: _Turn, done: Drained) -> None:
    """Writes down how a batch ended, and whether the target can be used."""
    outcome.settle(eyes.target, claim, turn.attempts, turn.unseen, turn.now)
    done.settled += len(turn.attempts)
    done.placements.update(turn.items)
    done.created |= any(
        change.operation is Operation.CREATE
        for attempt in turn.attempts.values()
        for change in attempt.done
    )
    if turn.down is not None:
        record.target_down(eyes.target.pk, turn.down, timezone.now())
        return
    done.recovered |= record.target_up(eyes.target.pk, turn.now)


def _over_edits(site: Site, item: RolloutItem) -> bool:
    healing = site.drift_policy == DriftPolicy.HEAL
    return healing or item.rollout.kind == RolloutKind.REPAIR


def _write(eyes: Eyes, attempts: Mapping[int, Attempt]) -> ExternalError | None:
    """Makes the changes; fills in the results. The error that befell the target as a whole."""
    work = [
        Work(
            placement=attempt.prospect.site.ref,
            changes=attempt.leave.changes,
            force=attempt.leave.force,
            reason=attempt.item.rollout.reason or attempt.item.rollout.title,
            identity=f"headroom:{attempt.item.rollout.actor}",
        )
        for attempt in attempts.values()
        if attempt.leave.changes
    ]
    results: dict[int, Result] = {}

    def note(result: Result) -> None:
        # May be called in the adapter's own thread: no row is touched here.
        results[result.placement.id] = result

    failure: Exception = Unreachable("The adapter did not report how this ended.")
    whole: ExternalError | None = None
    try:
        if work:
            eyes.adapter.apply(target=eyes.ref, work=work, on_result=note)
    except ExternalError as error:
        failure = whole = error
    except Exception as error:
        log.exception("apply.failed", target=eyes.target.slug)
        failure = error
    for item in work:
        result = results.get(item.placement.id)
        attempts[item.placement.id].result = result or Result(item.placement, (), failure)
    return whole or _all_unreachable(results)


def _all_unreachable(results: Mapping[int, Result]) -> ExternalError | None:
    """One placement that cannot be reached is its own trouble; all of them are the target's."""
    errors = [result.error for result in results.values()]
    first = errors[0] if errors else None
    if isinstance(first, Unreachable) and all(isinstance(error, Unreachable) for error in errors):
        return first
    return None
