"""Having a plane make the changes of a batch, each placement by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog

from console.errors import ExternalError, Unexpected, Unreachable
from quotas.enforcement.ports import ApplyResult, PlacementChanges
from quotas.enforcement.reconcile.attempt import Attempt
from quotas.enforcement.reconcile.observation_cache import ObservationCache

log = structlog.get_logger(__name__)


def write(cache: ObservationCache, attempts: Mapping[int, Attempt]) -> ExternalError | None:
    """Makes the changes; fills in the results. The error that befell the target as a whole."""
    work = [
        PlacementChanges(
            placement=attempt.plan.placement,
            changes=attempt.split.changes,
            force=attempt.split.force,
            reason=attempt.item.rollout.reason or attempt.item.rollout.title,
            identity=f"headroom:{attempt.item.rollout.actor}",
        )
        for attempt in attempts.values()
        if attempt.split.changes and attempt.result is None
    ]
    results: dict[int, ApplyResult] = {}

    def note(result: ApplyResult) -> None:
        # May be called in the adapter's own thread: no row is touched here.
        results[result.placement.id] = result

    whole = _apply(cache, work, note, results) if work else None
    failure = whole or Unreachable("The adapter did not report how this ended.")
    for changes in work:
        placement = changes.placement
        result = results.get(placement.id) or ApplyResult(placement, (), failure)
        attempts[placement.id].result = result
    return whole or _all_unreachable(results)


def _apply(
    cache: ObservationCache,
    work: Sequence[PlacementChanges],
    note: Callable[[ApplyResult], None],
    results: Mapping[int, ApplyResult],
) -> ExternalError | None:
    """Has the adapter make the changes; the error that befell the target as a whole. Where the
    adapter stumbles, what it has not reported is tried by halves, until whatever it stumbles over
    is alone: an apply that was made already changes nothing."""
    try:
        cache.adapter.apply(target=cache.ref, work=work, on_result=note)
        return None
    except ExternalError as error:
        return error
    except Exception as error:
        log.exception("apply.failed", target=cache.target.slug, placements=len(work))
        left = [changes for changes in work if changes.placement.id not in results]
        if len(left) == 1:
            note(ApplyResult(left[0].placement, (), Unexpected(error)))
        if len(left) <= 1:
            return None
    middle = len(left) // 2
    for half in (left[:middle], left[middle:]):
        if (whole := _apply(cache, half, note, results)) is not None:
            return whole
    return None


def _all_unreachable(results: Mapping[int, ApplyResult]) -> ExternalError | None:
    """One placement that cannot be reached is its own trouble; all of them are the target's."""
    errors = [result.error for result in results.values()]
    first = errors[0] if errors else None
    if isinstance(first, Unreachable) and all(isinstance(error, Unreachable) for error in errors):
        return first
    return None
