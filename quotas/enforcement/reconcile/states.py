"""Writing down what was found: states of placements, summaries of tenants, targets up or down."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count

from console.audit import services as audit
from console.audit.models import Entry
from console.backoff import backoff
from console.chunks import chunks
from console.errors import ExternalError, Throttled
from quotas.enforcement import rules
from quotas.enforcement.models import (
    OPEN_STATES,
    SEVERITY,
    Condition,
    ItemState,
    PlacementState,
    Rollout,
    RolloutItem,
    TargetState,
    TenantState,
)
from quotas.enforcement.reconcile import ledger
from tenants.models import Placement, Target, Tenant, TenantStatus

STATE_FIELDS = [
    field.name for field in PlacementState._meta.concrete_fields if field.name not in ("id",)
]
SUMMARY_FIELDS = [
    field.name for field in TenantState._meta.concrete_fields if field.name not in ("id",)
]
_UNREACHABLE_WITH_TARGET = (
    Condition.SYNCED,
    Condition.SUSPENDED,
    Condition.UNKNOWN,
    Condition.PROGRESSING,
    Condition.DRIFTED,
)


def load_states(target: Target, ids: Collection[int] | None = None) -> dict[int, PlacementState]:
    """The states of placements (all of the target for None) by placement id; new where none is."""
    rows = PlacementState.objects.filter(placement__target=target)
    if ids is None:
        return {state.placement_id: state for state in rows}
    known = {
        state.placement_id: state
        for chunk in chunks(ids)
        for state in PlacementState.objects.filter(placement_id__in=chunk)
    }
    return {pk: known.get(pk) or PlacementState(placement_id=pk) for pk in ids}


def save_states(states: Collection[PlacementState]) -> None:
    """Writes states in a few statements, whether they existed or not."""
    for chunk in chunks(states, 300):
        PlacementState.objects.bulk_create(
            [_without_pk(state) for state in chunk],
            update_conflicts=True,
            unique_fields=["placement"],
            update_fields=[name for name in STATE_FIELDS if name != "placement"],
        )


def _without_pk(state: PlacementState) -> PlacementState:
    state.pk = None
    return state


def set_condition(
    state: PlacementState, condition: str, now: datetime, *, code: str = "", message: str = ""
) -> None:
    """Puts the placement in a condition; `since` moves only when it is another one."""
    if state.condition != condition or state.since is None:
        state.since = now
    state.condition, state.code, state.message = condition, code[:40], message


def summarize(tenant_ids: Iterable[int]) -> None:
    """Recomputes the summaries of tenants from their placements, in bulk."""
    for chunk in chunks(tenant_ids, 500):
        status = dict(Tenant.objects.filter(pk__in=chunk).values_list("pk", "status"))
        rows: dict[int, list[Any]] = defaultdict(list)
        for row in (
            Placement.objects.filter(tenant_id__in=chunk)
            .order_by("pk")
            .values_list(
                "tenant_id",
                "target__slug",
                "location",
                "state__condition",
                "state__since",
                "state__message",
                "state__observed_at",
                "state__limits",
            )
        ):
            rows[row[0]].append(row)
        TenantState.objects.bulk_create(
            [_summary(pk, status[pk], rows.get(pk, [])) for pk in chunk if pk in status],
            update_conflicts=True,
            unique_fields=["tenant"],
            update_fields=[name for name in SUMMARY_FIELDS if name != "tenant"],
        )


def _summary(tenant_id: int, status: str, rows: list[Any]) -> TenantState:
    worst = max(rows, key=lambda row: SEVERITY[row[3] or Condition.UNKNOWN], default=None)
    condition = (worst[3] or Condition.UNKNOWN) if worst else Condition.SYNCED
    if condition == Condition.SYNCED and status == TenantStatus.SUSPENDED:
        condition = Condition.SUSPENDED
    full = rules.tightest(
        (target, location, limits or {}) for _, target, location, *_, limits in rows
    )
    observed = [row[6] for row in rows]
    return TenantState(
        tenant_id=tenant_id,
        condition=condition,
        severity=SEVERITY[condition],
        since=worst[4] if worst else None,
        message=(worst[5] or "") if worst else "",
        fullness=full[0]["fullness"] if full else None,
        tightest=full,
        observed_at=min(observed) if observed and all(observed) else None,
    )


def target_up(target_id: int, now: datetime) -> bool:
    """Notes that the target answers; True when it did not before."""
    TargetState.objects.filter(target_id=target_id, failures__gt=0).update(
        failures=0, not_before=None
    )
    changed = (
        TargetState.objects.filter(target_id=target_id)
        .exclude(condition=Condition.SYNCED)
        .update(condition=Condition.SYNCED, since=now, message="", not_before=None)
    )
    return changed == 1


def target_down(target_id: int, error: ExternalError, now: datetime) -> None:
    """Notes that the target as a whole cannot be used, and for how long to leave it alone.

    Being throttled is no outage: it only waits. Otherwise its placements become unreachable with
    it, and everything that waits keeps waiting.
    """
    state = TargetState.objects.get(target_id=target_id)
    failures = state.failures + 1
    jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
    wait = backoff(failures, first=2, longest=60, spread=0.5 + jitter)
    changed: dict[str, Any] = {
        "failures": failures,
        "not_before": now + timedelta(seconds=max(wait, error.retry_after or 0)),
    }
    if not isinstance(error, Throttled):
        condition = Condition.UNREACHABLE if error.retryable else Condition.REFUSED
        changed |= {"condition": condition, "message": error.message}
        if state.condition != condition or state.since is None:
            changed["since"] = now
        _mark_unreachable(target_id, error.message, now)
    TargetState.objects.filter(target_id=target_id).update(**changed)


def _mark_unreachable(target_id: int, message: str, now: datetime) -> None:
    rows = PlacementState.objects.filter(
        placement__target_id=target_id, condition__in=_UNREACHABLE_WITH_TARGET
    )
    tenants = set(rows.values_list("placement__tenant_id", flat=True))
    if tenants:
        rows.update(condition=Condition.UNREACHABLE, since=now, code="", message=message)
        summarize(tenants)


def finish_rollouts(rollout_ids: Iterable[int], now: datetime) -> int:
    """Ends those of the rollouts that have nothing open, each with one entry in the ledger."""
    entries: list[Entry] = []
    for chunk in chunks(rollout_ids):
        still_open = RolloutItem.objects.filter(state__in=OPEN_STATES).values("rollout_id")
        rows = Rollout.objects.filter(pk__in=chunk, finished_at__isnull=True).exclude(
            pk__in=still_open.filter(rollout_id__in=chunk)
        )
        entries += [
            _finish_entry(rollout, now)
            for rollout in rows
            if Rollout.objects.filter(pk=rollout.pk, finished_at=None).update(finished_at=now)
        ]
    audit.record_all(entries)
    return len(entries)


def _finish_entry(rollout: Rollout, now: datetime) -> Entry:
    counts = dict(
        RolloutItem.objects.filter(rollout=rollout)
        .values_list("state")
        .annotate(number=Count("id"))
        .order_by("state")
    )
    bad = sum(counts.get(state, 0) for state in (ItemState.CONFLICT, ItemState.REFUSED, "failed"))
    return audit.build(
        actor=ledger.LOOP,
        action="rollout.finish",
        object_type="rollout",
        object_id=rollout.pk,
        object_label=rollout.title,
        after=counts,
        reason=rollout.reason,
        message=f"{bad} of {rollout.total} did not end well." if bad else "",
        at=now,
    )
