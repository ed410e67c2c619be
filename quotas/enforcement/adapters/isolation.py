"""One placement at a time: what goes wrong with one of them is that one's, never another's."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from quotas.enforcement.ports import Observed
from tenants.contracts import PlacementRef

log = structlog.get_logger(__name__)


def each_by_itself(
    placements: Iterable[PlacementRef], read: Callable[[PlacementRef], Observed]
) -> tuple[dict[int, Observed], dict[int, Exception]]:
    """What `read` makes of each placement, by its id, and what it could not cope with: a mistake
    of ours, with its traceback in the log."""
    observed: dict[int, Observed] = {}
    errors: dict[int, Exception] = {}
    for placement in placements:
        try:
            observed[placement.id] = read(placement)
        except Exception as error:
            log.exception("observe.failed", placement=placement.id, tenant=placement.tenant)
            errors[placement.id] = error
    return observed, errors
