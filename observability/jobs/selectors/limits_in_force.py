"""The limits that were meant for a run when it was accepted and when it ended, what its target
last said it enforces where that is something else, and who changed what since shortly before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from console.audit.models import Entry
from console.unstructured import mapping
from observability.engines.registry import adapter_for
from observability.jobs.models import JobRun
from observability.jobs.rules.attribution import places_of
from quotas.enforcement.models import PlacementState
from quotas.plans.charts import describe, human, label_of
from quotas.plans.contracts import EffectiveLimit, EffectiveLimits, Source
from quotas.plans.effective import effective_limits
from quotas.plans.selectors import limits_kept_since, load_histories
from tenants.models import Tenant

SHORTLY: Final = timedelta(hours=1)
_MOST_CHANGES: Final = 12
_ABSENT: Final = "not limited"
_OF_RUNS: Final = ("job", "action")
"""What the ledger calls runs and batches of them: a hundred such lines would hide the one lease."""


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit: what it was when the run was accepted, where from, and what became of it.

    `end` and `now` are empty where they equal the value before them, `end` also while the run has
    not ended. `enforced` is what its target said last, empty where that is what is meant.
    """

    key: str
    label: str
    then: str
    source: str
    why: str
    end: str = ""
    now: str = ""
    enforced: str = ""


@dataclass(frozen=True, slots=True)
class LimitsInForce:
    """`plan` is e.g. "standard v7", empty when nothing was in force. `elsewhere` counts limits of
    planes that do not concern the run's engine. `suspended` is the reason, where it was. `changes`
    reach from an hour before it was accepted to its end, or to now; what was done to runs is not
    among them. `enforced_as_of` is when its target last said what it enforces, None where unknown.
    """

    plan: str
    plan_slug: str
    rows: list[LimitRow]
    elsewhere: int
    suspended: str
    changes: list[Entry]
    kept: bool = True
    """Whether it is still known what was in force when the run was accepted."""
    enforced_as_of: datetime | None = None


def limits_in_force(run: JobRun, *, now: datetime) -> LimitsInForce | None:
    """None for a run that is nobody's. Nine queries; expects the tenant to be loaded."""
    tenant = run.tenant
    if tenant is None:
        return None
    history = load_histories([tenant.pk])[tenant.pk]
    then = effective_limits(history, run.created_at)
    end = effective_limits(history, run.closed_at) if run.closed_at else then
    today = effective_limits(history, now)
    keys = {key for limits in (then, end, today) if limits for key in limits.limits}
    concerned = _concerned(keys, run.engine)
    enforced, enforced_as_of = _enforced(run, tenant)
    return LimitsInForce(
        plan=f"{then.plan} v{then.version}" if then else "",
        plan_slug=then.plan if then else "",
        rows=[
            replace(_row(key, then, end, today), enforced=enforced.get(key, ""))
            for key in concerned
        ],
        elsewhere=len(keys) - len(concerned),
        suspended=(then.suspended_reason or "no reason given") if then and then.suspended else "",
        changes=list(
            Entry.objects.filter(
                tenant=tenant.slug,
                at__gt=run.created_at - SHORTLY,
                at__lte=run.closed_at or now,
            )
            .exclude(object_type__in=_OF_RUNS)
            .order_by("-at", "-id")[:_MOST_CHANGES]
        ),
        kept=then is not None or run.created_at >= limits_kept_since(now),
        enforced_as_of=enforced_as_of,
    )


def _enforced(run: JobRun, tenant: Tenant) -> tuple[dict[str, str], datetime | None]:
    """What the run's target enforces, of the limits of which that is not what is meant, and when it
    said so: it may be away since."""
    places = places_of(run.location, run.queue, run.fairness_key)
    states = PlacementState.objects.filter(
        placement__tenant=tenant,
        placement__target=run.target_id,
        placement__location__in=[location for location, _ in places],
    ).values_list("placement__location", "placement__fairness_key", "limits", "observed_at")
    by_place = {(location, key): (rows, at) for location, key, rows, at in states}
    rows, at = next((by_place[place] for place in places if place in by_place), ({}, None))
    different = {
        key: human(key, row["enforced"])
        for key, row in mapping(rows).items()
        if "enforced" in row and row["enforced"] != row.get("intended")
    }
    return different, at


def _concerned(keys: Collection[str], engine: str) -> list[str]:
    planes = adapter_for(engine).features.limit_planes
    limits = [(key, describe(key)) for key in sorted(keys)]
    return [key for key, limit in limits if limit is not None and limit.plane in planes]


def _row(
    key: str,
    then: EffectiveLimits | None,
    end: EffectiveLimits | None,
    today: EffectiveLimits | None,
) -> LimitRow:
    first, last, current = (_text(key, limits) for limits in (then, end, today))
    limit = then.limits.get(key) if then else None
    source, why = _source(limit, then)
    return LimitRow(
        key=key,
        label=label_of(key),
        then=first,
        source=source,
        why=why,
        end=last if last != first else "",
        now=current if current != last else "",
    )


def _text(key: str, limits: EffectiveLimits | None) -> str:
    limit = limits.limits.get(key) if limits else None
    return human(key, limit.value) if limit else _ABSENT


def _source(limit: EffectiveLimit | None, then: EffectiveLimits | None) -> tuple[str, str]:
    """Where a value came from in a few words, and why (who and the reason)."""
    if limit is None or then is None:
        return "", ""
    if limit.source is Source.PLAN:
        return f"{then.plan} v{then.version}", ""
    kind = "lease" if limit.source is Source.LEASE else "override"
    until = f" to {limit.until:%d %b %H:%M} UTC" if limit.until else ""
    plan = f"; the plan says {human(limit.key, limit.plan_value)}" if limit.in_plan else ""
    return f"{kind}{until}", f"{limit.author}: {limit.reason}{plan}"
