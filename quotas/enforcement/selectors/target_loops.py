"""How the loops of each target are: compared, probed, and what waits pushed, in two queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Max, Min, Q
from django.db.models.functions import Coalesce

from console.loops.contracts import MARGIN_SECONDS, PROBE, QUEUE, SWEEP, LoopStatus
from console.loops.rules import LoopReport
from console.loops.selectors import loop_statuses
from quotas.enforcement.models import Condition, RolloutItem, TargetState
from quotas.enforcement.selectors.loop import ready
from tenants.models import Target

SPREAD: Final = 1.1
"""How much longer than set the period of a target may be, so that not all come due at once."""
TICK_SECONDS: Final = 5.0
_LONG: Final = timedelta(seconds=MARGIN_SECONDS)


def loop_report(now: datetime) -> LoopReport:
    """How everything that runs again and again is."""
    return LoopReport(loop_statuses(now), now)


UNCHECKED: Final = "unchecked"
"""How pages and REST tell what was as intended when somebody last had a look, too long ago."""
NOW: Final = [*Condition.choices, (UNCHECKED, "Not checked")]
"""What `condition_now` gives, with labels."""


def condition_now(condition: str, *, unchecked: bool) -> str:
    """The condition as it can be claimed now: nothing is in sync that nobody compares."""
    return UNCHECKED if unchecked and condition == Condition.SYNCED else condition


def as_of(moments: Iterable[datetime | None]) -> datetime | None:
    """Since when something holds that was observed in parts: the oldest; None for a part never."""
    known = list(moments)
    return min((moment for moment in known if moment), default=None) if all(known) else None


def target_loops(now: datetime) -> list[LoopStatus]:
    """The loops of every enabled target, by slug."""
    targets = Target.objects.filter(enabled=True).select_related("state").order_by("slug")
    waiting = _waiting_since(now)
    return [status for target in targets for status in _loops(target, waiting, now)]


def _loops(target: Target, waiting: Mapping[int, datetime], now: datetime) -> Iterator[LoopStatus]:
    state: TargetState | None = getattr(target, "state", None)
    held = state is not None and state.claimed_until is not None and state.claimed_until >= now
    # Whoever holds a target may be at something long; a task that hangs is ended after this time.
    patience = float(settings.CELERY_TASK_TIME_LIMIT) if held else 0.0
    resting = state.not_before if state is not None and state.failures else None
    yield LoopStatus(
        PROBE,
        every=SPREAD * settings.PROBE_SECONDS,
        last=state.checked_at if state else None,
        expected=max(resting, target.updated_at) if resting else target.updated_at,
        target=target.slug,
    )
    if resting is None:  # what cannot be reached is not compared, and its state says so
        yield LoopStatus(
            SWEEP,
            every=SPREAD * settings.SWEEP_SECONDS,
            last=state.swept_at if state else None,
            expected=target.updated_at,
            target=target.slug,
            patience=patience,
        )
        yield LoopStatus(
            QUEUE,
            every=TICK_SECONDS,
            last=waiting.get(target.pk, now),
            target=target.slug,
            patience=patience,
        )


def _waiting_since(now: datetime) -> dict[int, datetime]:
    """Since when the oldest item of each target could have been pushed that nobody has taken."""
    since = Coalesce("not_before", "rollout__created_at")
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)
    rows = RolloutItem.objects.filter(ready(now), free, target__enabled=True)
    oldest = dict(rows.values_list("target_id").annotate(since=Min(since)).order_by())
    return {pk: _last_settled(pk, at) if at < now - _LONG else at for pk, at in oldest.items()}


def _last_settled(target_id: int, since: datetime) -> datetime:
    """Of many that wait, the oldest may wait for long though somebody works on them."""
    under_way = RolloutItem.objects.filter(target_id=target_id, rollout__finished_at__isnull=True)
    settled = under_way.aggregate(at=Max("finished_at"))["at"]
    return since if settled is None else max(since, settled)
