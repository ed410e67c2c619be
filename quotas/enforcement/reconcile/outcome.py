"""How each placement of a batch ended: its item, its state, its drift, its line in the ledger."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from console.audit import services as audit
from console.audit.models import Entry
from console.errors import Conflict, DomainError, ExternalError, Throttled
from quotas.enforcement import rules
from quotas.enforcement.diff import digest
from quotas.enforcement.models import (
    Condition,
    Drift,
    ItemState,
    PlacementState,
    RolloutItem,
)
from quotas.enforcement.ports import Change, Result
from quotas.enforcement.reconcile import ledger, record
from quotas.enforcement.reconcile.claims import Claim
from quotas.enforcement.rules import Leave
from quotas.enforcement.services.planning import Prospect
from tenants.models import Target

log = structlog.get_logger(__name__)

RETRY_BASE, RETRY_CAP = 1.0, 300.0
ITEM_FIELDS = (
    "state", "attempts", "not_before", "claim", "claimed_until", "changes", "code", "message",
    "owners", "calls", "milliseconds", "finished_at",
)  # fmt: skip


@dataclass(slots=True)
class Attempt:
    """One placement's turn: the item, what is to be done, what may be done, how it ended."""

    item: RolloutItem
    prospect: Prospect
    leave: Leave
    result: Result | None = None

    @property
    def error(self) -> Exception | None:
        """What went wrong while writing."""
        return self.result.error if self.result else None

    @property
    def done(self) -> tuple[Change, ...]:
        """The changes that were made."""
        return self.result.done if self.result else ()

    @property
    def remaining(self) -> tuple[Change, ...]:
        """The changes that are still to be made."""
        made = {change.ref for change in self.done}
        return tuple(change for change in self.prospect.changes if change.ref not in made)


@dataclass(slots=True)
class _Batch:
    """What is written at the end of a batch."""

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


def settle(
    target: Target,
    claim: Claim,
    attempts: Mapping[int, Attempt],
    unseen: Mapping[int, str],
    now: datetime,
) -> None:
    """Writes down how the attempts ended, in one short transaction. Items that somebody else has
    taken meanwhile are theirs. `unseen` are items (by id) whose placement could not be read. `now`
    is when the look began; writing may have taken long, so what ended did so at this moment."""
    ended = timezone.now()
    states = record.load_states(target, list(attempts))
    with transaction.atomic():
        mine = set(
            RolloutItem.objects.select_for_update()
            .filter(claim=claim.token, state=ItemState.RUNNING)
            .values_list("pk", flat=True)
        )
        batch = _Batch()
        for pk, attempt in attempts.items():
            if attempt.item.pk in mine:
                _note(batch, attempt, states[pk], now, ended)
        _wait_unseen(unseen, mine, ended)
        _save(batch, now)
        tenants = {attempt.prospect.site.tenant_id for attempt in attempts.values()}
        record.summarize(tenants)
        record.finish_rollouts({attempt.item.rollout_id for attempt in attempts.values()}, ended)


def _note(
    batch: _Batch, attempt: Attempt, state: PlacementState, now: datetime, ended: datetime
) -> None:
    item, prospect, error = attempt.item, attempt.prospect, attempt.error
    item.changes = item.changes + rules.changes_json(attempt.done)
    if attempt.result:
        item.calls += attempt.result.calls
        item.milliseconds += round(attempt.result.seconds * 1000)
    item.claim, item.claimed_until, item.not_before = "", None, None
    wanted = digest(prospect.compiled.objects)
    if error is None:
        _note_drift(batch, attempt, state, now, wanted)
        _note_written(attempt, state, now, wanted)
    else:
        _note_error(attempt, state, error, ended)
    item.finished_at = None if item.state == ItemState.WAITING else ended
    _observe(state, attempt, now)
    batch.items.append(item)
    batch.states.append(state)


def _note_written(attempt: Attempt, state: PlacementState, now: datetime, wanted: str) -> None:
    item, prospect, leave = attempt.item, attempt.prospect, attempt.leave
    state.differences = rules.changes_json(leave.blocked)
    state.owners = dict(leave.owners)
    if leave.blocked:
        names = ", ".join(sorted(set(leave.owners.values())))
        item.state, item.code = ItemState.CONFLICT, "conflict"
        item.message, item.owners = (
            f"Held by {names}: {', '.join(leave.owners)}.",
            dict(leave.owners),
        )
        record.set_condition(state, Condition.CONFLICT, now, code=item.code, message=item.message)
        return
    if not prospect.compiled.refusals:
        item.state, item.code, item.message, item.owners = ItemState.DONE, "", "", {}
    else:
        item.state, item.code = ItemState.REFUSED, prospect.compiled.refusals[0].code
        item.message = refusal_text(prospect)
    condition, code, message = settled_condition(prospect)
    record.set_condition(state, condition, now, code=code, message=message)
    state.applied_digest = wanted
    state.observed_generation = prospect.site.ref.generation


def settled_condition(prospect: Prospect) -> tuple[str, str, str]:
    """Condition, code and message of a placement where nothing is left to write."""
    if prospect.compiled.refusals:
        return Condition.REFUSED, prospect.compiled.refusals[0].code, refusal_text(prospect)
    suspended = prospect.limits is not None and prospect.limits.suspended
    return (Condition.SUSPENDED if suspended else Condition.SYNCED), "", ""


def refusal_text(prospect: Prospect) -> str:
    """Which limits the plane cannot say, and why, in one text."""
    return " ".join(
        f"{refusal.key}: {refusal.message}" if refusal.key else refusal.message
        for refusal in prospect.compiled.refusals
    )


def _note_error(attempt: Attempt, state: PlacementState, error: Exception, now: datetime) -> None:
    item = attempt.item
    state.differences = rules.changes_json(attempt.remaining)
    item.message = str(error) or type(error).__name__
    item.code = getattr(error, "code", "error")[:40]
    if isinstance(error, ExternalError) and error.retryable:
        wait_again(item, error, now)
        record.set_condition(
            state, Condition.PROGRESSING, now, code=item.code, message=item.message
        )
        return
    if isinstance(error, Conflict):
        item.state, item.owners = ItemState.CONFLICT, error.owners
        state.owners = error.owners
        record.set_condition(state, Condition.CONFLICT, now, code=item.code, message=item.message)
        return
    expected = isinstance(error, ExternalError | DomainError)
    item.state = ItemState.REFUSED if expected else ItemState.FAILED
    record.set_condition(state, Condition.REFUSED, now, code=item.code, message=item.message)


def wait_again(item: RolloutItem, error: ExternalError, now: datetime) -> None:
    """Lets the item try again: after what the plane asked for, else twice as long each time."""
    jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
    wait = rules.backoff(item.attempts, base=RETRY_BASE, cap=RETRY_CAP, jitter=jitter)
    if isinstance(error, Throttled) and error.retry_after is not None:
        wait = error.retry_after * (1 + jitter / 4)
    item.state = ItemState.WAITING
    item.not_before = now + timedelta(seconds=wait)


def _observe(state: PlacementState, attempt: Attempt, now: datetime) -> None:
    clean = attempt.error is None and not attempt.leave.blocked
    fill_observed(state, attempt.prospect, applied=clean and bool(attempt.done))
    state.observed_at = now


def fill_observed(state: PlacementState, prospect: Prospect, *, applied: bool) -> None:
    """Puts what was seen (limits, refusals, warnings, foreign objects) into the state."""
    rows = rules.limit_rows(
        kind=prospect.site.ref.kind,
        compiled=prospect.compiled,
        observed=prospect.observed,
        limits=prospect.limits,
        applied=applied,
    )
    rules.keep_recounts(rows, state.limits)
    state.limits = rows
    state.refusals = [asdict(refusal) for refusal in prospect.compiled.refusals]
    state.warnings = [*prospect.compiled.warnings, *prospect.observed.warnings]
    state.foreign = list(prospect.observed.foreign)


def _note_drift(
    batch: _Batch, attempt: Attempt, state: PlacementState, now: datetime, wanted: str
) -> None:
    """What somebody else had changed is never written back silently."""
    pk, done = state.placement_id, attempt.done
    if not done:
        if not attempt.leave.blocked:
            batch.reverted.append(pk)
        return
    owner = rules.owner_of(done)
    if not owner and state.applied_digest != wanted:
        return
    batch.healed.append(pk)
    site = attempt.prospect.site
    batch.drifts.append(
        Drift(
            placement_id=pk,
            tenant_id=site.tenant_id,
            target_id=attempt.item.target_id,
            found_at=now,
            ended_at=now,
            outcome="healed",
            owner=owner,
            changes=rules.changes_json(done),
        )
    )
    batch.entries.append(ledger.written_back(site.ref, done, attempt.item, now))


def _wait_unseen(unseen: Mapping[int, str], mine: set[int], now: datetime) -> None:
    rows = [item for item in RolloutItem.objects.filter(pk__in=list(unseen)) if item.pk in mine]
    for item in rows:
        item.message, item.code = unseen[item.pk], "unseen"
        item.claim, item.claimed_until = "", None
        wait_again(item, ExternalError(item.message, retryable=True), now)
    RolloutItem.objects.bulk_update(
        rows, ["state", "not_before", "message", "code", "claim", "claimed_until"]
    )


def _save(batch: _Batch, now: datetime) -> None:
    RolloutItem.objects.bulk_create(
        batch.items, update_conflicts=True, unique_fields=["id"], update_fields=ITEM_FIELDS
    )
    record.save_states(batch.states)
    open_drifts = Drift.objects.filter(ended_at__isnull=True)
    known = set(
        open_drifts.filter(placement_id__in=batch.healed).values_list("placement_id", flat=True)
    )
    open_drifts.filter(placement_id__in=known).update(ended_at=now, outcome="healed")
    open_drifts.filter(placement_id__in=batch.reverted).update(ended_at=now, outcome="reverted")
    Drift.objects.bulk_create([drift for drift in batch.drifts if drift.placement_id not in known])
    audit.record_all(batch.entries)
