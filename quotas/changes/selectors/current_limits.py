"""The limits of one tenant as they stand, for whoever is about to change one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quotas.changes.rules.catalogue import SECTIONS
from quotas.changes.rules.form_text import limit_text
from quotas.enforcement.models import PlacementState
from quotas.plans.charts import describe, human
from quotas.plans.contracts import EffectiveLimit, EffectiveLimits, Source
from quotas.plans.effective import effective_limits
from quotas.plans.selectors import load_current
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class CurrentLimit:
    """One limit in force. `form_text` is its value as the form takes it."""

    key: str
    label: str
    section: str
    help: str
    value: str
    form_text: str
    used: str
    source: str
    note: str
    until: datetime | None


def current_limits(tenant: Tenant, *, now: datetime) -> tuple[Sequence[CurrentLimit], str]:
    """Every limit in force of a tenant, by section and name, and the plan it has, in words."""
    history = load_current([tenant.pk], now).get(tenant.pk)
    limits = effective_limits(history, now) if history else None
    if limits is None:
        return (), ""
    used = _used(tenant)
    lines = [_line(limit, limits, used) for limit in limits.limits.values()]
    order = list(SECTIONS.values())
    lines.sort(key=lambda line: (order.index(line.section), line.label))
    return lines, f"{limits.plan} v{limits.version}"


def _used(tenant: Tenant) -> dict[str, int]:
    """The largest use of each limit over the tenant's placements, as last observed."""
    largest: dict[str, int] = {}
    rows = PlacementState.objects.filter(placement__tenant=tenant)
    for limits in rows.values_list("limits", flat=True):
        for key, row in limits.items():
            value = row.get("used")
            if isinstance(value, int):
                largest[key] = max(value, largest.get(key, 0))
    return largest


def _line(limit: EffectiveLimit, limits: EffectiveLimits, used: dict[str, int]) -> CurrentLimit:
    known = describe(limit.key)
    from_plan = limit.source == Source.PLAN
    plan = human(limit.key, limit.plan_value) if limit.in_plan else "not set"
    return CurrentLimit(
        key=limit.key,
        label=known.label if known else limit.key,
        section=SECTIONS[known.group] if known else next(iter(SECTIONS.values())),
        help=known.help if known else "",
        value=human(limit.key, limit.value),
        form_text=limit_text(limit.key, limit.value) if known else "",
        used=human(limit.key, used[limit.key]) if limit.key in used else "",
        source=f"plan {limits.plan} v{limits.version}" if from_plan else str(limit.source),
        note="" if from_plan else f"{limit.author}: {limit.reason} (plan: {plan})",
        until=limit.until,
    )
