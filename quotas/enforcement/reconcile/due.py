"""What is to be done now: the beat's question, answered from rows, so that nothing is forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from console.audit import services as audit
from console.audit.services import Actor
from console.chunks import chunks
from quotas.enforcement.models import OPEN_STATES, Rollout, RolloutItem, RolloutKind, TargetState
from quotas.enforcement.reconcile.states import finish_rollouts
from quotas.enforcement.selectors.loop import ready
from quotas.enforcement.services.rollouts import create_rollout
from quotas.plans.selectors import boundaries_between
from tenants.models import Placement, Target, TenantStatus

BOUNDARY_WINDOW = timedelta(seconds=90)
"""How far back passed starts and ends are looked for; what is older is the sweep's."""
CLOCK = Actor.loop("clock")


# Of a target's state; the rest is large, and nobody's here.
_NEEDED = (
    *("target_id", "claim", "claimed_until", "not_before", "failures"),
    *("swept_at", "checked_at"),
)


@dataclass(frozen=True, slots=True)
class Due:
    """Target ids by what they are due for."""

    queues: tuple[int, ...] = ()
    sweeps: tuple[int, ...] = ()
    probes: tuple[int, ...] = ()


def due(now: datetime) -> Due:
    """Which targets have a queue to process, are to be swept and are to be probed now."""
    _prepare()
    rows = list(
        TargetState.objects.filter(target__enabled=True).order_by("target_id").only(*_NEEDED)
    )
    free = [row for row in rows if _usable(row, now)]
    waiting = set(
        RolloutItem.objects.filter(ready(now))
        .order_by()
        .values_list("target_id", flat=True)
        .distinct()
    )
    return Due(
        queues=tuple(row.target_id for row in free if row.target_id in waiting),
        sweeps=tuple(row.target_id for row in free if _sweep_due(row, now)),
        probes=tuple(row.target_id for row in rows if _probe_due(row, now)),
    )


def _prepare() -> None:
    missing = Target.objects.filter(enabled=True, state__isnull=True).values_list("pk", flat=True)
    TargetState.objects.bulk_create(
        [TargetState(target_id=pk) for pk in missing], ignore_conflicts=True
    )


def _usable(row: TargetState, now: datetime) -> bool:
    resting = row.not_before is not None and row.not_before > now
    held = bool(row.claim) and row.claimed_until is not None and row.claimed_until >= now
    return not resting and not held


def _sweep_due(row: TargetState, now: datetime) -> bool:
    return row.swept_at is None or row.swept_at + _spread(row, settings.SWEEP_SECONDS) <= now


def take_probe(target_id: int, now: datetime) -> bool:
    """Compare-and-swap: of the workers told to probe a target, one does. A target that hangs would
    otherwise hold as many workers as ticks pass until it times out."""
    row = TargetState.objects.filter(target_id=target_id).first()
    if row is None:
        return True
    mine = TargetState.objects.filter(pk=row.pk, checked_at=row.checked_at)
    return _probe_due(row, now) and mine.update(checked_at=now) == 1


def _probe_due(row: TargetState, now: datetime) -> bool:
    if row.failures and row.not_before is not None:
        patience = timedelta(seconds=2 * settings.TARGET_TIMEOUT_SECONDS)
        under_way = row.checked_at is not None and row.not_before <= row.checked_at > now - patience
        return row.not_before <= now and not under_way
    return row.checked_at is None or row.checked_at + _spread(row, settings.PROBE_SECONDS) <= now


def _spread(row: TargetState, seconds: int) -> timedelta:
    """The period, up to a tenth longer by target, so that targets do not all come due at once."""
    return timedelta(seconds=seconds * (1 + (row.target_id * 37 % 100) / 1000))


def order_passed_boundaries(
    now: datetime, *, window: timedelta = BOUNDARY_WINDOW
) -> Rollout | None:
    """Orders a rollout for tenants whose limits changed by time: a lease that started or ended.

    A placement that was compared after that moment has seen it already, and one that waits will.
    Any number of processes may do this at once: one of them orders.
    """
    passed = boundaries_between(now - window, now)
    if not _concerned(passed):
        return None
    with transaction.atomic():
        # Who comes second waits here, and then sees what the first has ordered.
        locked = Target.objects.select_for_update(no_key=True).filter(enabled=True).order_by("pk")
        list(locked.values_list("pk", flat=True))
        placements = _concerned(passed)
        if not placements:
            return None
        rollout = create_rollout(
            kind=RolloutKind.DUE,
            title=f"Limits that changed by time: {len(placements)} placements",
            reason="A lease, an override or a subscription started or ended.",
            actor=CLOCK,
            placements=placements,
            at=now,
        )
        audit.record(
            actor=CLOCK,
            action="rollout.due",
            object_type="rollout",
            object_id=rollout.pk,
            object_label=rollout.title,
            after={"placements": len(placements)},
            reason=rollout.reason,
            at=now,
        )
    return rollout


def _concerned(passed: dict[int, datetime]) -> list[int]:
    return [pk for chunk in chunks(passed) for pk in _not_compared_since(chunk, passed)]


def _not_compared_since(tenant_ids: list[int], passed: dict[int, datetime]) -> list[int]:
    waiting = RolloutItem.objects.filter(placement=OuterRef("pk"), state__in=OPEN_STATES)
    rows = (
        Placement.objects.filter(~Q(tenant__status=TenantStatus.GONE), tenant_id__in=tenant_ids)
        .filter(~Exists(waiting), target__enabled=True, state__observed_at__isnull=False)
        .values_list("pk", "tenant_id", "state__observed_at")
    )
    return [
        pk for pk, tenant_id, observed_at in rows if observed_at and observed_at < passed[tenant_id]
    ]


def finish_rollouts_without_items(now: datetime) -> int:
    """Ends rollouts whose last item ended without the loop, e.g. given up by a person."""
    waiting = RolloutItem.objects.filter(rollout=OuterRef("pk"), state__in=OPEN_STATES)
    rows = Rollout.objects.filter(~Exists(waiting), finished_at__isnull=True, total__gt=0)
    return finish_rollouts(list(rows.values_list("pk", flat=True)), now)
