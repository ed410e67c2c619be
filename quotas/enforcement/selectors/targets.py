"""What the target pages read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count

from console.loops.rules import LoopNote
from console.pages.charts import Sparkline
from quotas.enforcement.charts import feature_facts
from quotas.enforcement.models import Condition, Drift, PlacementState, TargetSample, TargetState
from quotas.enforcement.selectors.target_loops import condition_now, loop_report
from tenants.models import Placement, Target
from tenants.selectors import UnreadableSummary, unreadable_on

_HOURS = 24
_BUCKETS = 96


@dataclass(frozen=True, slots=True)
class TargetPage:
    """Everything on the page of one target."""

    target: Target
    state: TargetState | None
    counts: tuple[tuple[str, int], ...]
    placements: int
    latency: Sparkline
    availability: float | None
    samples: int
    attention: Sequence[PlacementState]
    drifts: Sequence[Drift]
    foreign: tuple[tuple[str, int], ...]
    warnings: tuple[tuple[str, int], ...]
    facts: tuple[tuple[str, str], ...]
    unreadable: UnreadableSummary | None
    loops: tuple[LoopNote, ...]
    condition: str


def target_page(target: Target, *, now: datetime) -> TargetPage:
    """Reads the page in a constant number of queries."""
    counted = (
        PlacementState.objects.filter(placement__target=target)
        .values_list("condition")
        .annotate(number=Count("pk"))
        .order_by()
    )
    samples = list(
        TargetSample.objects.filter(target=target, at__gt=now - timedelta(hours=_HOURS))
        .order_by("at")
        .values_list("at", "latency_ms")
    )
    answered = sum(1 for _, latency in samples if latency is not None)
    troubled = (
        PlacementState.objects.filter(placement__target=target)
        .exclude(condition__in=("synced", "suspended", "unknown", "progressing"))
        .select_related("placement__tenant", "placement__target")
    )
    state = TargetState.objects.filter(target=target).first()
    foreign, warnings = _remarks(target)
    report = loop_report(now)
    unchecked = target.slug in report.unchecked
    return TargetPage(
        target=target,
        state=state,
        counts=tuple(
            (condition_now(name, unchecked=unchecked), number) for name, number in sorted(counted)
        ),
        placements=Placement.objects.filter(target=target).count(),
        latency=latency_chart(samples, now=now),
        availability=100 * answered / len(samples) if samples else None,
        samples=len(samples),
        attention=list(troubled.order_by("since", "id")[:12]),
        drifts=list(
            Drift.objects.filter(target=target)
            .select_related("tenant", "placement__target")
            .order_by("-found_at", "-id")[:8]
        ),
        foreign=foreign,
        warnings=warnings,
        facts=feature_facts(state.features, target.options) if state else (),
        unreadable=unreadable_on(target),
        loops=report.notes({target.slug}) if target.enabled else (),
        condition=condition_now(
            state.condition if state else Condition.UNKNOWN,
            unchecked=unchecked,
        ),
    )


def latency_chart(samples: Sequence[tuple[datetime, float | None]], *, now: datetime) -> Sparkline:
    """Latency over 24 h in 96 buckets: the slowest answer of each; a gap where none came."""
    slowest: list[float | None] = [None] * _BUCKETS
    start = now - timedelta(hours=_HOURS)
    width = _HOURS * 3600 / _BUCKETS
    for at, latency in samples:
        slot = min(int((at - start).total_seconds() // width), _BUCKETS - 1)
        if latency is not None:
            slowest[slot] = max(slowest[slot] or 0.0, latency)
    known = [value for value in slowest if value is not None]
    return Sparkline(values=tuple(slowest), text=_span(known))


def _span(known: Sequence[float]) -> str:
    if not known:
        return "No probe answered yet"
    low, high = f"{min(known):.0f}", f"{max(known):.0f}"
    return f"24 h: {low} ms" if low == high else f"24 h: {low} to {high} ms"


def _remarks(target: Target) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]:
    """What was found there and is not ours, and what is to know of its placements (a queue whose
    limits eager activities bypass, partitions, …): each text with how many placements say it."""
    foreign: Counter[str] = Counter()
    warnings: Counter[str] = Counter()
    states = PlacementState.objects.filter(placement__target=target)
    notes = states.exclude(foreign=[], warnings=[]).values_list("foreign", "warnings")
    for theirs, texts in notes[:2000]:
        foreign.update(str(entry) for entry in theirs)
        warnings.update(texts)
    return tuple(foreign.most_common(12)), tuple(warnings.most_common(6))
