"""Observing many placements so that a mistake of ours with one of them costs no other anything."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from console.errors import ExternalError
from quotas.enforcement.ports import Adapter, Observation
from tenants.contracts import PlacementRef, TargetRef

log = structlog.get_logger(__name__)


def observe_isolated(
    adapter: Adapter, *, target: TargetRef, placements: Sequence[PlacementRef], everything: bool
) -> Observation:
    """What the adapter observes. Where it stumbles, the placements are observed by halves, until
    those that it stumbles over are alone: they are `errors`. Raises ExternalError."""
    try:
        return adapter.observe(target=target, placements=placements, everything=everything)
    except ExternalError:
        raise
    except Exception as error:
        log.exception("observe.failed", target=target.slug, placements=len(placements))
        if len(placements) <= 1:
            return Observation({}, 0, errors={placement.id: error for placement in placements})
    middle = len(placements) // 2
    halves = (placements[:middle], placements[middle:])
    return _joined(
        [
            observe_isolated(adapter, target=target, placements=half, everything=False)
            for half in halves
        ]
    )


def _joined(parts: Sequence[Observation]) -> Observation:
    return Observation(
        placements={pk: there for part in parts for pk, there in part.placements.items()},
        reads=sum(part.reads for part in parts),
        failures={pk: why for part in parts for pk, why in part.failures.items()},
        errors={pk: error for part in parts for pk, error in part.errors.items()},
        unreadable=tuple(problem for part in parts for problem in part.unreadable),
    )
