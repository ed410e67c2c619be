"""Ordering rollouts: the outbox is written in the transaction that changes the intent."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from console import celery
from console.audit import services as audit
from console.audit.services import Actor
from console.chunks import chunks
from quotas.enforcement.models import (
    SEVERITY,
    Condition,
    ItemState,
    PlacementState,
    Rollout,
    RolloutItem,
    RolloutKind,
    TenantState,
)
from tenants.models import Placement, Tenant

QUEUE_TASK = "quotas.enforcement.tasks.drain_target"
"""Its first name, so that a message which waits during an upgrade is not lost."""
_SETTLED = (ItemState.CONFLICT, ItemState.REFUSED, ItemState.FAILED)


def bump_generations(*, tenant_ids: Iterable[int]) -> None:
    """Says that the intent of these tenants, and so of their placements, is a new one. What is
    leaving stays as it is: nothing newer can be intended there."""
    for chunk in chunks(tenant_ids):
        Tenant.objects.filter(pk__in=chunk).update(generation=F("generation") + 1)
        staying = Placement.objects.filter(tenant_id__in=chunk, leaving=False)
        staying.update(generation=F("generation") + 1)


def create_rollout(
    *,
    kind: str,
    title: str,
    reason: str,
    actor: Actor,
    placements: Iterable[Placement | int],
    at: datetime,
    source: str = "",
    force: bool = False,
) -> Rollout:
    """Orders that the placements are brought to their intent. Call it in the transaction that
    changes the intent; workers are told once that is committed."""
    rollout = Rollout.objects.create(
        kind=kind, title=title[:200], reason=reason, actor=actor.name, source=source
    )
    ids = sorted({item if isinstance(item, int) else item.pk for item in placements})
    targets: set[int] = set()
    for chunk in chunks(ids):
        rows = list(
            Placement.objects.filter(pk__in=chunk)
            .order_by("pk")
            .values_list("pk", "tenant_id", "target_id", "generation")
        )
        RolloutItem.objects.bulk_create(
            RolloutItem(
                rollout=rollout,
                placement_id=pk,
                tenant_id=tenant_id,
                target_id=target_id,
                generation=generation,
                force=force,
            )
            for pk, tenant_id, target_id, generation in rows
        )
        targets |= {target_id for _, _, target_id, _ in rows}
        rollout.total += len(rows)
        _progressing([row[0] for row in rows], {row[1] for row in rows}, at)
    if not rollout.total:
        rollout.finished_at = at
    rollout.save(update_fields=["total", "finished_at"])
    _process_on_commit(targets)
    return rollout


def _progressing(placement_ids: list[int], tenant_ids: set[int], at: datetime) -> None:
    PlacementState.objects.bulk_create(
        [PlacementState(placement_id=pk) for pk in placement_ids], ignore_conflicts=True
    )
    PlacementState.objects.filter(placement_id__in=placement_ids).exclude(
        condition=Condition.PROGRESSING
    ).update(condition=Condition.PROGRESSING, since=at, code="", message="")
    TenantState.objects.bulk_create(
        [TenantState(tenant_id=pk) for pk in tenant_ids], ignore_conflicts=True
    )
    severity = SEVERITY[Condition.PROGRESSING]
    TenantState.objects.filter(tenant_id__in=tenant_ids, severity__lt=severity).update(
        condition=Condition.PROGRESSING, severity=severity, since=at, message=""
    )


def _process_on_commit(targets: Iterable[int]) -> None:
    for target_id in sorted(targets):
        transaction.on_commit(partial(celery.enqueue, QUEUE_TASK, target_id))


def sync_now(
    *, placements: Iterable[Placement | int], actor: Actor, reason: str, at: datetime
) -> Rollout:
    """Compares these placements with the planes now and writes what differs."""
    with transaction.atomic():
        rollout = create_rollout(
            kind=RolloutKind.SYNC,
            title="Sync now",
            reason=reason,
            actor=actor,
            placements=placements,
            at=at,
        )
        audit.record(
            actor=actor,
            action="rollout.sync",
            object_type="rollout",
            object_id=rollout.pk,
            object_label=rollout.title,
            after={"placements": rollout.total},
            reason=reason,
            at=at,
        )
    return rollout


def retry_items(
    *,
    rollout: Rollout,
    actor: Actor,
    reason: str,
    at: datetime,
    items: Collection[int] | None = None,
    force: bool = False,
) -> int:
    """Lets settled-but-not-done items (all of the rollout for None) and those that back off try
    again now; `force` takes fields over from their owners. Returns how many."""
    chosen = Q(state__in=_SETTLED) | Q(state=ItemState.WAITING, not_before__isnull=False)
    with transaction.atomic():
        rows = RolloutItem.objects.filter(chosen, rollout=rollout)
        items_chosen = [
            row
            for row in rows.values_list("pk", "placement_id", "tenant_id", "target_id")
            if items is None or row[0] in items
        ]
        changed: dict[str, Any] = {"state": ItemState.WAITING, "not_before": None, "attempts": 0}
        changed |= {"code": "", "message": "", "owners": {}, "finished_at": None}
        for chunk in chunks(items_chosen):
            RolloutItem.objects.filter(pk__in=[row[0] for row in chunk]).update(
                **changed, **({"force": True} if force else {})
            )
            _progressing([row[1] for row in chunk], {row[2] for row in chunk}, at)
        if items_chosen:
            Rollout.objects.filter(pk=rollout.pk).update(finished_at=None)
        _record_choice("rollout.retry", rollout, actor, reason, len(items_chosen), at)
        _process_on_commit({row[3] for row in items_chosen})
    return len(items_chosen)


def give_up_items(
    *,
    rollout: Rollout,
    actor: Actor,
    reason: str,
    at: datetime,
    items: Collection[int] | None = None,
) -> int:
    """Gives up items that wait or did not end well (all of the rollout for None): they end as
    superseded, and the next sweep says how their placements stand. Returns how many."""
    with transaction.atomic():
        given_up = (ItemState.WAITING, *_SETTLED)
        rows = RolloutItem.objects.filter(rollout=rollout, state__in=given_up)
        ids = [pk for pk in rows.values_list("pk", flat=True) if items is None or pk in items]
        number = 0
        for chunk in chunks(ids):
            number += rows.filter(pk__in=chunk).update(
                state=ItemState.SUPERSEDED,
                code="given_up",
                message=f"Given up by {actor.name}: {reason}",
                finished_at=at,
            )
        _record_choice("rollout.leave", rollout, actor, reason, number, at)
    return number


def _record_choice(
    action: str, rollout: Rollout, actor: Actor, reason: str, number: int, at: datetime
) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_type="rollout",
        object_id=rollout.pk,
        object_label=rollout.title,
        after={"items": number},
        reason=reason,
        at=at,
    )
