"""What needs somebody: the overview's reads, each bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet

from console.audit.models import Entry
from console.loops.rules import InterruptionNote, LoopNote, LoopReport
from console.loops.selectors import interruptions
from console.pages.charts import HeadroomBar, Sparkline
from quotas.enforcement import rules
from quotas.enforcement.models import (
    Condition,
    Drift,
    ItemState,
    PlacementState,
    Rollout,
    RolloutItem,
    TenantState,
)
from quotas.enforcement.selectors.attention import Attention, attentions, over_limit
from quotas.enforcement.selectors.target_loops import as_of, condition_now, loop_report
from quotas.enforcement.selectors.tenant_list import NEAR, tight_bar
from quotas.plans.models import Lease
from tenants.models import Target, Tenant, TenantStatus

_CLOSEST = 8
_HOURS = 24
_MOST_ROLLOUTS = 5000


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 h in numbers: what happened, and how quiet that is."""

    rollouts: int
    per_hour: Sparkline
    drifts: int
    synced: int
    placements: int


@dataclass(frozen=True, slots=True)
class Close:
    """A tenant near a limit."""

    tenant: str
    target: str
    bar: HeadroomBar


@dataclass(frozen=True, slots=True)
class Moving:
    """A rollout under way: items by state."""

    rollout: Rollout
    done: int
    bad: int
    waiting: int


@dataclass(frozen=True, slots=True)
class TargetLine:
    """One target's health on the overview and in the top bar."""

    slug: str
    name: str
    kind: str
    condition: str
    message: str
    since: datetime | None
    latency_ms: float | None
    synced: int
    placements: int
    distribution: str
    swept_at: datetime | None = None
    unchecked: bool = False
    """Whether nobody can say now that things are as intended there."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole page. `as_of` is the oldest of what targets were last compared, None where one
    never was; `unchecked` says that it is too old to be claimed. `lost` are targets that lost all
    that was written to them, of a day."""

    loops: tuple[LoopNote, ...]
    interruptions: tuple[InterruptionNote, ...]
    as_of: datetime | None
    unchecked: bool
    attention: tuple[Attention, ...]
    attention_total: int
    day: Day
    over: int
    near: int
    closest: tuple[Close, ...]
    moving: tuple[Moving, ...]
    leases_ending: tuple[Lease, ...]
    drifts: tuple[Drift, ...]
    lost: tuple[Entry, ...]
    targets: tuple[TargetLine, ...]
    tenants: int


def overview(*, now: datetime) -> Overview:
    """Reads the page; every list is bounded and every count uses a small table or an index."""
    needs = attentions()
    report = loop_report(now)
    targets = target_lines(report)
    placed = [target for target in targets if target.placements]
    return Overview(
        loops=report.notes() if targets else (),
        interruptions=interruptions(now),
        as_of=as_of(target.swept_at for target in placed),
        unchecked=any(target.unchecked for target in placed),
        attention=needs.rows,
        attention_total=needs.total,
        day=_day(targets, now=now),
        over=over_limit().count(),
        near=_running().filter(fullness__gte=NEAR, fullness__lte=1).count(),
        closest=_closest(),
        moving=moving(Rollout.objects.filter(finished_at__isnull=True).order_by("-id")[:6]),
        leases_ending=tuple(
            Lease.objects.filter(ends_at__gt=now, ends_at__lt=now + timedelta(days=1))
            .select_related("tenant")
            .order_by("ends_at")[:6]
        ),
        drifts=tuple(
            Drift.objects.filter(found_at__gt=now - timedelta(days=1))
            .select_related("tenant", "target", "placement")
            .order_by("-found_at", "-id")[:6]
        ),
        lost=tuple(
            Entry.objects.filter(action=rules.LOST, at__gt=now - timedelta(days=1)).order_by("-at")[
                :3
            ]
        ),
        targets=targets,
        tenants=Tenant.objects.exclude(status=TenantStatus.GONE).count(),
    )


def _day(targets: Sequence[TargetLine], *, now: datetime) -> Day:
    since = now - timedelta(hours=_HOURS)
    made = Rollout.objects.filter(created_at__gt=since).order_by("-created_at", "-id")
    hours: list[float | None] = [0.0] * _HOURS
    for at in (times := list(made.values_list("created_at", flat=True)[:_MOST_ROLLOUTS])):
        hour = min(max(int((at - since).total_seconds() // 3600), 0), _HOURS - 1)
        hours[hour] = (hours[hour] or 0.0) + 1
    busiest = max(value or 0 for value in hours)
    return Day(
        rollouts=len(times),
        per_hour=Sparkline(values=hours, text=f"24 h: at most {busiest:.0f} rollouts in an hour"),
        drifts=Drift.objects.filter(found_at__gt=since).count(),
        synced=sum(target.synced for target in targets),
        placements=sum(target.placements for target in targets),
    )


def _running() -> QuerySet[TenantState]:
    """States of tenants whose fullness means something: what still runs of a suspended one is
    always more than the nothing that it may start."""
    return TenantState.objects.exclude(condition=Condition.SUSPENDED)


def _closest() -> tuple[Close, ...]:
    states = (
        _running()
        .filter(fullness__gte=0.5)
        .select_related("tenant")
        .order_by("-fullness")[:_CLOSEST]
    )
    return tuple(
        Close(state.tenant.slug, str(state.tightest[0].get("target", "")),
              tight_bar(state.tightest[0]))
        for state in states
        if state.tightest
    )  # fmt: skip


_BAD = (ItemState.CONFLICT, ItemState.REFUSED, ItemState.FAILED)


def moving(rollouts: QuerySet[Rollout]) -> tuple[Moving, ...]:
    """Progress of the given rollouts: one grouped query for all of them."""
    listed = list(rollouts)
    grouped = (
        RolloutItem.objects.filter(rollout__in=listed)
        .values_list("rollout_id", "state")
        .annotate(number=Count("pk"))
        .order_by()
    )
    states: dict[int, Counter[str]] = {rollout.pk: Counter() for rollout in listed}
    for rollout, state, number in grouped:
        states[rollout][state] = number
    return tuple(_progress(rollout, states[rollout.pk]) for rollout in listed)


def _progress(rollout: Rollout, states: Counter[str]) -> Moving:
    bad = sum(states[state] for state in _BAD)
    waiting = states[ItemState.WAITING] + states[ItemState.RUNNING]
    return Moving(rollout, sum(states.values()) - bad - waiting, bad, waiting)


def target_lines(report: LoopReport) -> tuple[TargetLine, ...]:
    """Every target with its health and how many of its placements are synced."""
    grouped = (
        PlacementState.objects.filter(placement__target__enabled=True)
        .values_list("placement__target_id", "condition")
        .annotate(number=Count("pk"))
        .order_by()
    )
    synced: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for target, condition, number in grouped:
        total[target] += number
        if condition in (Condition.SYNCED, Condition.SUSPENDED):
            synced[target] += number
    lines = []
    for target in Target.objects.filter(enabled=True).select_related("state").order_by("slug"):
        state = getattr(target, "state", None)
        lines.append(
            TargetLine(
                slug=target.slug,
                name=target.name,
                kind=target.kind,
                condition=condition_now(
                    state.condition if state else Condition.UNKNOWN,
                    unchecked=target.slug in report.unchecked,
                ),
                message=state.message if state else "",
                since=state.since if state else None,
                latency_ms=state.latency_ms if state else None,
                synced=synced[target.pk],
                placements=total[target.pk],
                distribution=state.distribution if state else "",
                swept_at=state.swept_at if state else None,
                unchecked=target.slug in report.unchecked,
            )
        )
    return tuple(lines)
