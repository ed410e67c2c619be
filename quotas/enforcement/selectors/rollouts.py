"""What the rollout pages read: progress per target, then only what is not fine, then everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Avg, Count, Max, Min, QuerySet, Sum

from quotas.enforcement.models import ItemState, Rollout, RolloutItem, TargetState

_BAD = (ItemState.CONFLICT, ItemState.REFUSED, ItemState.FAILED)
_SAMPLES = 3

_UNUSABLE = ("unreachable", "refused")
"""Conditions of a target with which nothing can be done there."""


@dataclass(frozen=True, slots=True)
class TargetProgress:
    """How far a rollout is on one target. `rate` is placements per second so far, `seconds_left`
    an estimate; both None while nothing can be said."""

    slug: str
    done: int
    bad: int
    waiting: int
    total: int
    calls: int
    rate: float | None
    seconds_left: float | None
    unreachable_since: datetime | None
    message: str


@dataclass(frozen=True, slots=True)
class RolloutGroup:
    """Items that failed for the same cause on the same target."""

    target: str
    state: str
    code: str
    owner: str
    message: str
    count: int
    tenants: tuple[str, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """The live part of the rollout page."""

    rollout: Rollout
    targets: tuple[TargetProgress, ...]
    groups: tuple[RolloutGroup, ...]
    done: int
    bad: int
    waiting: int
    total: int

    @property
    def percent(self) -> int:
        """Share of items that are settled, in whole percent; 100 for a rollout without items."""
        return 100 if not self.total else (self.done + self.bad) * 100 // self.total

    @property
    def live(self) -> bool:
        """True while something can still happen by itself."""
        return self.waiting > 0


def progress(rollout: Rollout, *, now: datetime) -> RolloutProgress:
    """Reads the live part: three queries, whatever the number of items."""
    targets = _targets(rollout, now)
    return RolloutProgress(
        rollout=rollout,
        targets=targets,
        groups=_groups(rollout),
        done=sum(target.done for target in targets),
        bad=sum(target.bad for target in targets),
        waiting=sum(target.waiting for target in targets),
        total=sum(target.total for target in targets),
    )


def _targets(rollout: Rollout, now: datetime) -> tuple[TargetProgress, ...]:
    grouped = (
        RolloutItem.objects.filter(rollout=rollout)
        .values("target_id", "target__slug", "state")
        .annotate(number=Count("pk"), made=Sum("calls"), last=Max("finished_at"))
        .order_by()
    )
    states: dict[int, Counter[str]] = defaultdict(Counter)
    slugs: dict[int, str] = {}
    calls: Counter[int] = Counter()
    for row in grouped:
        states[row["target_id"]][row["state"]] = row["number"]
        slugs[row["target_id"]] = row["target__slug"]
        calls[row["target_id"]] += row["made"] or 0
    health = {state.target_id: state for state in TargetState.objects.filter(target__in=slugs)}
    lines = [
        _progress(rollout, slugs[target], states[target], calls[target], health.get(target), now)
        for target in sorted(slugs, key=lambda target: slugs[target])
    ]
    return tuple(lines)


def _progress(
    rollout: Rollout,
    slug: str,
    states: Counter[str],
    calls: int,
    health: TargetState | None,
    now: datetime,
) -> TargetProgress:
    bad = sum(states[state] for state in _BAD)
    waiting = states[ItemState.WAITING] + states[ItemState.RUNNING]
    settled = sum(states.values()) - waiting
    elapsed = (now - (rollout.started_at or now)).total_seconds()
    rate = settled / elapsed if waiting and settled and elapsed > 0 else None
    away = health is not None and health.condition == "unreachable"
    return TargetProgress(
        slug=slug,
        done=settled - bad,
        bad=bad,
        waiting=waiting,
        total=sum(states.values()),
        calls=calls,
        rate=rate,
        seconds_left=waiting / rate if rate else None,
        unreachable_since=health.since if health and away else None,
        message=health.message if health and health.condition in _UNUSABLE else "",
    )


def _groups(rollout: Rollout) -> tuple[RolloutGroup, ...]:
    """Groups what is not fine by cause. Bounded: causes are few, samples are cut."""
    groups: dict[tuple[str, str, str, str], list[tuple[int, str, str]]] = defaultdict(list)
    items = RolloutItem.objects.filter(rollout=rollout, state__in=_BAD).values_list(
        "pk", "target__slug", "state", "code", "owners", "message", "tenant__slug"
    )
    for pk, target, state, code, owners, message, tenant in items.order_by("id")[:5000]:
        owner = ", ".join(sorted(set(owners.values()))) if owners else ""
        groups[(target, state, code, owner)].append((pk, tenant, message))
    return tuple(
        RolloutGroup(
            target=target,
            state=state,
            code=code,
            owner=owner,
            message=members[0][2],
            count=len(members),
            tenants=tuple(tenant for _, tenant, _ in members[:_SAMPLES]),
            ids=tuple(pk for pk, _, _ in members),
        )
        for (target, state, code, owner), members in sorted(groups.items())
    )


def items(rollout: Rollout, *, state: str = "", target: str = "") -> QuerySet[RolloutItem]:
    """The items of a rollout for its table, filtered as the URL says."""
    rows = RolloutItem.objects.filter(rollout=rollout).select_related(
        "tenant", "target", "placement", "placement__target"
    )
    if state:
        rows = rows.filter(state=state)
    if target:
        rows = rows.filter(target__slug=target)
    return rows


def pace(target_ids: Sequence[int]) -> dict[int, float]:
    """Milliseconds per placement on each target over its last 200 settled items."""
    paces: dict[int, float] = {}
    for target in target_ids:
        last = RolloutItem.objects.filter(target=target, state=ItemState.DONE).order_by("-id")
        ids = list(last.values_list("pk", flat=True)[:200])
        span = RolloutItem.objects.filter(pk__in=ids).aggregate(
            first=Min("finished_at"), last=Max("finished_at"), mean=Avg("milliseconds")
        )
        if span["mean"] is not None:
            paces[target] = float(span["mean"])
    return paces
