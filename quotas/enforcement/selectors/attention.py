"""What needs somebody: one line each, with a link to where it can be settled. Bounded reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from quotas.enforcement.models import (
    OPEN_STATES,
    Condition,
    ItemState,
    PlacementState,
    RolloutItem,
    TargetState,
    TenantState,
)
from quotas.enforcement.selectors.tenant_list import tight_bar
from quotas.plans.models import Lease, Override, Subscription

ROWS = 12
_EACH = 2  # What every group shows at least, however many conflicts stand before it.
_ATTENDED = (Condition.CONFLICT, Condition.REFUSED, Condition.UNREACHABLE, Condition.DRIFTED)
_ADJUSTMENTS: dict[str, tuple[str, type[Lease | Override]]] = {
    "lease": ("by a lease", Lease),
    "override": ("by an override", Override),
}
_BAD = (ItemState.CONFLICT, ItemState.REFUSED, ItemState.FAILED)


@dataclass(frozen=True, slots=True)
class Attention:
    """One line: `name` links to `url`, where the matter can be settled. `condition` is a state
    of the templates' vocabulary."""

    condition: str
    name: str
    url: str
    where: str
    message: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Attentions:
    """The lines to show, worst first, and how many there are of all of them."""

    rows: tuple[Attention, ...]
    total: int


def attentions() -> Attentions:
    """Conflicts, refusals, unreachable targets, drift, tenants over a limit, and rollouts under
    way of which a part failed."""
    away = _targets()
    states = PlacementState.objects.exclude(
        condition=Condition.UNREACHABLE, placement__target__in=[state.target_id for state in away]
    )
    groups = [
        _placements(states, Condition.CONFLICT),
        _placements(states, Condition.REFUSED),
        [_target(state) for state in away],
        _placements(states, Condition.UNREACHABLE),
        _placements(states, Condition.DRIFTED),
        _over(),
        _rollouts(),
    ]
    total = (
        states.filter(condition__in=_ATTENDED).count()
        + len(away)
        + over_limit().count()
        + len(groups[-1])
    )
    return Attentions(rows=fairly(groups), total=total)


def fairly(groups: Iterable[Sequence[Attention]], *, rows: int = ROWS) -> tuple[Attention, ...]:
    """At most `rows` of all groups in their order: each group's first lines before any group's
    many, so that a hundred conflicts do not hide a tenant over its limit."""
    listed = [list(group) for group in groups]
    shares = [min(len(group), _EACH) for group in listed]
    for index, group in enumerate(listed):
        shares[index] += max(0, min(len(group) - shares[index], rows - sum(shares)))
    chosen = zip(listed, shares, strict=True)
    return tuple(line for group, share in chosen for line in group[:share])[:rows]


def over_limit() -> QuerySet[TenantState]:
    """Tenants that use more than a limit. What still runs of a suspended one is always more than
    the nothing that it may start: that is no news."""
    running = TenantState.objects.exclude(condition=Condition.SUSPENDED)
    return running.filter(fullness__gt=1)


def _placements(states: QuerySet[PlacementState], condition: Condition) -> list[Attention]:
    worst = states.filter(condition=condition).select_related(
        "placement__tenant", "placement__target"
    )
    return [
        Attention(
            condition=state.condition,
            name=state.placement.tenant.slug,
            url=reverse("enforcement:tenant", args=[state.placement.tenant.slug]),
            where=str(state.placement),
            message=state.message,
            since=state.since,
        )
        for state in worst.order_by("since", "id")[:ROWS]
    ]


def _targets() -> list[TargetState]:
    away = TargetState.objects.filter(condition=Condition.UNREACHABLE, target__enabled=True)
    return list(away.select_related("target").order_by("since", "id"))


def _target(state: TargetState) -> Attention:
    return Attention(
        condition=state.condition,
        name=state.target.slug,
        url=reverse("enforcement:target", args=[state.target.slug]),
        where="",
        message=state.message,
        since=state.since,
    )


def _over() -> list[Attention]:
    states = list(over_limit().select_related("tenant").order_by("-fullness")[:ROWS])
    plans = {
        tenant: (f"on {plan} v{number}", since)
        for tenant, plan, number, since in Subscription.objects.filter(
            tenant__in=[state.tenant_id for state in states], ends_at__isnull=True
        ).values_list("tenant_id", "version__plan__slug", "version__number", "starts_at")
    }
    adjusted = _adjusted(states)
    return [
        _over_line(
            state, *(adjusted.get(state.tenant_id) or plans.get(state.tenant_id, ("", None)))
        )
        for state in states
    ]


def _adjusted(states: Iterable[TenantState]) -> dict[int, tuple[str, datetime]]:
    """Of tenants whose fullest limit is not the plan's: what set it, and since when. Two queries at
    most."""
    fullest = {state.tenant_id: state.tightest[0] for state in states if state.tightest}
    adjusted = {}
    for source, (words, model) in _ADJUSTMENTS.items():
        keys = {pk: str(row["key"]) for pk, row in fullest.items() if row.get("source") == source}
        begun = model.objects.filter(
            tenant__in=keys, key__in=keys.values(), starts_at__lte=timezone.now()
        )
        for tenant, key, since in (
            begun.order_by("starts_at").values_list("tenant_id", "key", "starts_at") if keys else ()
        ):
            if keys[tenant] == key:
                adjusted[tenant] = (words, since)
    return adjusted


def _over_line(state: TenantState, why: str, since: datetime | None) -> Attention:
    """A quota never lets use grow past it, so the limit came down: most often with the plan."""
    fullest = state.tightest[0] if state.tightest else None
    message = "It uses more than a limit."
    if fullest:
        bar = tight_bar(fullest)
        message = f"{bar.label}: {bar.used_text} used of {bar.enforced_text}"
    return Attention(
        condition="over",
        name=state.tenant.slug,
        url=reverse("enforcement:tenant", args=[state.tenant.slug]),
        where=str(fullest.get("target", "")) if fullest else "",
        message=f"{message}, {why}" if why else message,
        since=since,
    )


def _rollouts() -> list[Attention]:
    """Rollouts under way of which something failed; what is over stands with its placements."""
    counted = (
        RolloutItem.objects.filter(rollout__finished_at__isnull=True)
        .values("rollout_id", "rollout__title", "rollout__total", "rollout__created_at")
        .annotate(
            bad=Count("pk", filter=Q(state__in=_BAD)),
            open=Count("pk", filter=Q(state__in=OPEN_STATES)),
        )
        .filter(bad__gt=0)
        .order_by("-rollout_id")[:ROWS]
    )
    return [
        Attention(
            condition=Condition.PROGRESSING,
            name=f"rollout {row['rollout_id']}",
            url=reverse("enforcement:rollout", args=[row["rollout_id"]]),
            where="",
            message=(
                f"{row['rollout__title']}: {row['rollout__total'] - row['open'] - row['bad']} of "
                f"{row['rollout__total']} done, {row['bad']} not"
            ),
            since=row["rollout__created_at"],
        )
        for row in counted
    ]
