"""Settling a batch: how each placement ended, in its item, state, drift and line of the ledger."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from console.audit import services as audit
from console.audit.models import Entry
from console.backoff import backoff
from console.database.claims import Claim
from console.errors import Conflict, DomainError, ExternalError, Throttled, Unexpected, own
from quotas.enforcement import rules
from quotas.enforcement.diff import changes_json, digest
from quotas.enforcement.models import (
    Condition,
    Drift,
    ItemState,
    PlacementState,
    RolloutItem,
)
from quotas.enforcement.ports import ObjectRef, ObservedObject
from quotas.enforcement.reconcile import ledger
from quotas.enforcement.reconcile.attempt import Attempt, Settlement
from quotas.enforcement.reconcile.planning import PlacementPlan
from quotas.enforcement.reconcile.states import (
    finish_rollouts,
    load_states,
    save_states,
    set_condition,
    summarize,
)
from tenants.models import Placement, Target

log = structlog.get_logger(__name__)

FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
ITEM_FIELDS = (
    "state", "attempts", "not_before", "claim", "claimed_until", "changes", "code", "message",
    "owners", "calls", "milliseconds", "finished_at",
)  # fmt: skip


@dataclass(slots=True)
class _Writes:
    """The rows that are written at the end of a batch."""

    items: list[RolloutItem] = field(default_factory=list)
    states: list[PlacementState] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    healed: list[int] = field(default_factory=list)
    reverted: list[int] = field(default_factory=list)


def give_back(items: Iterable[RolloutItem], token: str) -> None:
    """Lets items wait again as if nobody had taken them."""
    RolloutItem.objects.filter(pk__in=[item.pk for item in items], claim=token).update(
        state=ItemState.WAITING, claim="", claimed_until=None, attempts=F("attempts") - 1
    )


def settle(target: Target, claim: Claim, batch: Settlement, now: datetime) -> None:
    """Writes down how a batch ended, in one short transaction. Items that somebody else has claimed
    meanwhile are theirs. `now` is when it was observed; writing may have taken long: what ended did
    so at this moment.

    Where that fails, for a reason that is no outage of the database, it is done by halves, until
    whatever it fails over is alone: that placement has failed, and the others are settled.
    """
    try:
        _settle(target, claim, batch, now)
        return
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("settle.failed", target=target.slug, placements=len(batch.items))
        mistake = error
    ids = list(batch.items)
    if len(ids) <= 1:
        alone = Settlement(batch.items, {}, failed=dict.fromkeys(ids, mistake))
        _settle(target, claim, alone, now)
        return
    middle = len(ids) // 2
    for half in (ids[:middle], ids[middle:]):
        settle(target, claim, batch.of(half), now)


def _settle(target: Target, claim: Claim, batch: Settlement, now: datetime) -> None:
    ended = timezone.now()
    states = load_states(target, [*batch.attempts, *batch.failed])
    with transaction.atomic():
        mine = set(
            RolloutItem.objects.select_for_update()
            .filter(claim=claim.token, state=ItemState.RUNNING)
            .values_list("pk", flat=True)
        )
        writes = _Writes()
        for pk, attempt in batch.attempts.items():
            if attempt.item.pk in mine:
                # A copy: should this fail, it is noted again from what the item was.
                _note(writes, replace(attempt, item=copy(attempt.item)), states[pk], now, ended)
        for pk, error in batch.failed.items():
            if batch.items[pk].pk in mine:
                _note_failure(writes, copy(batch.items[pk]), states[pk], error, ended)
        _wait_unobserved(batch.unobserved, mine, ended)
        _save(writes, now)
        summarize(_tenants(batch))
        finish_rollouts({item.rollout_id for item in batch.items.values()}, ended)


def _tenants(batch: Settlement) -> set[int]:
    tenants = {attempt.plan.placement.tenant_id for attempt in batch.attempts.values()}
    failed = Placement.objects.filter(pk__in=list(batch.failed))
    return tenants | set(failed.values_list("tenant_id", flat=True)) if batch.failed else tenants


def _note_failure(
    writes: _Writes, item: RolloutItem, state: PlacementState, error: Exception, now: datetime
) -> None:
    """A mistake of ours, before or after the plane was asked: what is known there stays as it
    was."""
    failure = own(error)
    item.claim, item.claimed_until, item.not_before = "", None, None
    item.state, item.code, item.message = ItemState.FAILED, failure.code[:40], failure.message
    item.finished_at = now
    set_condition(state, Condition.REFUSED, now, code=failure.code, message=failure.message)
    writes.items.append(item)
    writes.states.append(state)


def _note(
    writes: _Writes, attempt: Attempt, state: PlacementState, now: datetime, ended: datetime
) -> None:
    item, plan, error = attempt.item, attempt.plan, attempt.error
    item.changes = item.changes + changes_json(attempt.as_stored)
    if attempt.result:
        item.calls += attempt.result.calls
        item.milliseconds += round(attempt.result.seconds * 1000)
    item.claim, item.claimed_until, item.not_before = "", None, None
    wanted = digest(plan.compiled.objects)
    if error is None:
        _note_drift(writes, attempt, state, now, wanted)
        _note_written(attempt, state, now, wanted)
    else:
        _note_error(attempt, state, error, ended)
    item.finished_at = None if item.state == ItemState.WAITING else ended
    _fill_state(state, attempt, now)
    writes.items.append(item)
    writes.states.append(state)


def _note_written(attempt: Attempt, state: PlacementState, now: datetime, wanted: str) -> None:
    item, plan, split = attempt.item, attempt.plan, attempt.split
    state.differences = changes_json(attempt.remaining)
    state.owners = dict(split.owners)
    if split.blocked:
        names = rules.listed(sorted(set(split.owners.values())))
        item.state, item.code = ItemState.CONFLICT, "conflict"
        item.message, item.owners = (
            f"Held by {names}: {rules.listed(split.owners)}.",
            dict(split.owners),
        )
        set_condition(state, Condition.CONFLICT, now, code=item.code, message=item.message)
        return
    condition, code, message = settled_condition(plan)
    if attempt.altered:
        condition, code = Condition.REFUSED, rules.ALTERED
        left = [entry.left for entry in attempt.altered]
        suspects = {name for entry in attempt.altered for name in entry.suspects}
        altered = rules.altered_text(plan.placement.kind, left, suspects)
        message = f"{message} {altered}".strip()
    refused = condition == Condition.REFUSED
    item.state = ItemState.REFUSED if refused else ItemState.DONE
    item.code, item.message, item.owners = code, message, {}
    set_condition(state, condition, now, code=code, message=message)
    state.applied_digest = wanted
    state.observed_generation = plan.placement.generation


def settled_condition(plan: PlacementPlan) -> tuple[str, str, str]:
    """Condition, code and message of a placement where nothing is left to write."""
    if plan.compiled.refusals:
        return Condition.REFUSED, plan.compiled.refusals[0].code, refusal_text(plan)
    suspended = plan.limits is not None and plan.limits.suspended
    return (Condition.SUSPENDED if suspended else Condition.SYNCED), "", ""


def refusal_text(plan: PlacementPlan) -> str:
    """Which limits the plane cannot say, and why, in one text."""
    return " ".join(
        f"{refusal.key}: {refusal.message}" if refusal.key else refusal.message
        for refusal in plan.compiled.refusals
    )


def _note_error(attempt: Attempt, state: PlacementState, error: Exception, now: datetime) -> None:
    item = attempt.item
    state.differences = changes_json(attempt.remaining)
    error = error if isinstance(error, DomainError) else own(error)
    item.message, item.code = error.message, error.code[:40]
    if isinstance(error, ExternalError) and error.retryable:
        wait_again(item, error, now)
        set_condition(state, Condition.PROGRESSING, now, code=item.code, message=item.message)
        return
    if isinstance(error, Conflict):
        item.state, item.owners = ItemState.CONFLICT, error.owners
        state.owners = error.owners
        set_condition(state, Condition.CONFLICT, now, code=item.code, message=item.message)
        return
    item.state = ItemState.FAILED if isinstance(error, Unexpected) else ItemState.REFUSED
    set_condition(state, Condition.REFUSED, now, code=item.code, message=item.message)


def wait_again(item: RolloutItem, error: ExternalError, now: datetime) -> None:
    """Lets the item try again: after what the plane asked for, else twice as long each time."""
    jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
    wait = backoff(item.attempts, first=FIRST_WAIT, longest=LONGEST_WAIT, spread=0.5 + jitter)
    if isinstance(error, Throttled) and error.retry_after is not None:
        wait = error.retry_after * (1 + jitter / 4)
    item.state = ItemState.WAITING
    item.not_before = now + timedelta(seconds=wait)


def _fill_state(state: PlacementState, attempt: Attempt, now: datetime) -> None:
    clean = attempt.error is None and not attempt.split.blocked
    altered = {entry.left.ref: entry.stored for entry in attempt.altered}
    fill_observed(state, attempt.plan, applied=clean and bool(attempt.done), altered=altered)
    state.observed_at = now


def fill_observed(
    state: PlacementState,
    plan: PlacementPlan,
    *,
    applied: bool,
    altered: Mapping[ObjectRef, ObservedObject] | None = None,
) -> None:
    """Puts what was seen (limits, refusals, warnings, foreign objects) into the state."""
    rows = rules.limit_rows(
        kind=plan.placement.kind,
        compiled=plan.compiled,
        observed=plan.observed,
        limits=plan.limits,
        applied=applied,
        altered=altered,
    )
    rules.keep_recounts(rows, state.limits)
    state.limits = rows
    state.refusals = [asdict(refusal) for refusal in plan.compiled.refusals]
    state.warnings = [*plan.compiled.warnings, *plan.observed.warnings]
    state.foreign = list(plan.observed.foreign)


def _note_drift(
    writes: _Writes, attempt: Attempt, state: PlacementState, now: datetime, wanted: str
) -> None:
    """What somebody else had changed is never written back silently."""
    if attempt.plan.observed.reset:
        return  # the plane itself had dropped it
    pk, done = state.placement_id, attempt.lasting
    if not attempt.done:
        if not attempt.split.blocked:
            writes.reverted.append(pk)
        return
    if not done:
        return  # it was written, and the target stored something else: nothing is healed
    if not rules.owner_names(done) and state.applied_digest != wanted:
        return
    writes.healed.append(pk)
    placement = attempt.plan.placement
    owner = rules.changed_by(placement.kind, done)
    if owner == rules.CLUSTER_ITSELF:
        return  # what it had made of our own write is right now, and was nobody's drift
    writes.drifts.append(
        Drift(
            placement_id=pk,
            tenant_id=placement.tenant_id,
            target_id=attempt.item.target_id,
            found_at=now,
            ended_at=now,
            outcome="healed",
            owner=owner,
            changes=changes_json(done),
        )
    )
    writes.entries.append(ledger.written_back(placement, done, attempt.item, now))


def _wait_unobserved(unobserved: Mapping[int, str], mine: set[int], now: datetime) -> None:
    rows = [item for item in RolloutItem.objects.filter(pk__in=list(unobserved)) if item.pk in mine]
    for item in rows:
        item.message, item.code = unobserved[item.pk], "unobserved"
        item.claim, item.claimed_until = "", None
        wait_again(item, ExternalError(item.message, retryable=True), now)
    RolloutItem.objects.bulk_update(
        rows, ["state", "not_before", "message", "code", "claim", "claimed_until"]
    )


def _save(writes: _Writes, now: datetime) -> None:
    RolloutItem.objects.bulk_create(
        writes.items, update_conflicts=True, unique_fields=["id"], update_fields=ITEM_FIELDS
    )
    save_states(writes.states)
    open_drifts = Drift.objects.filter(ended_at__isnull=True)
    known = set(
        open_drifts.filter(placement_id__in=writes.healed).values_list("placement_id", flat=True)
    )
    open_drifts.filter(placement_id__in=known).update(ended_at=now, outcome="healed")
    open_drifts.filter(placement_id__in=writes.reverted).update(ended_at=now, outcome="reverted")
    Drift.objects.bulk_create([drift for drift in writes.drifts if drift.placement_id not in known])
    audit.record_all(writes.entries)
