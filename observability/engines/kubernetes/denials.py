"""What the Kubernetes Events about a Job say of refusals, counted per Job. Near-pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from console.unstructured import mapping, moment, whole
from observability.engines.quota_refusals import QuotaRefusal, refusal_of
from observability.engines.unstructured import Object, created_of, text

_MOST_TIMES: Final = 10**9


@dataclass(frozen=True, slots=True)
class Denials:
    """Pods of a Job that were refused: all refusals together, and the last of them."""

    count: int
    first_at: datetime
    last_at: datetime
    message: str
    refusal: QuotaRefusal | None

    def words(self) -> str:
        """What was refused, for people."""
        return self.refusal.words() if self.refusal else text(self.message)

    def detail(self) -> dict[str, Any]:
        """The same as JSON: counts, times, the amounts where a quota refused."""
        shown: dict[str, Any] = {
            "count": self.count,
            "first_at": self.first_at.isoformat(),
            "last_at": self.last_at.isoformat(),
            "message": text(self.message, 1000),
        }
        return shown | (self.refusal.detail() if self.refusal else {})


def denials_of(warnings: Sequence[Object], otherwise: datetime) -> Denials | None:
    """What was refused, from the FailedCreate events of one Job: the Job counts, not the events."""
    failed_creates = [warning for warning in warnings if warning.get("reason") == "FailedCreate"]
    if not failed_creates:
        return None
    failed_creates.sort(key=lambda warning: _last_time(warning, otherwise))
    by_quota = [
        warning for warning in failed_creates if refusal_of(text(warning.get("message"), 4000))
    ] or failed_creates
    message = text(by_quota[-1].get("message"), 4000)
    return Denials(
        count=sum(_times(warning) for warning in failed_creates),
        first_at=min(_first_time(warning, otherwise) for warning in failed_creates),
        last_at=_last_time(failed_creates[-1], otherwise),
        message=message,
        refusal=refusal_of(message),
    )


def _times(warning: Object) -> int:
    series = whole(mapping(warning.get("series")).get("count"))
    return min(max(1, whole(warning.get("count")) or 0, series or 0), _MOST_TIMES)


def _first_time(warning: Object, otherwise: datetime) -> datetime:
    stamps = (warning.get("firstTimestamp"), warning.get("eventTime"))
    return next((at for at in map(moment, stamps) if at), created_of(warning, otherwise))


def _last_time(warning: Object, otherwise: datetime) -> datetime:
    series = mapping(warning.get("series")).get("lastObservedTime")
    stamps = (series, warning.get("lastTimestamp"))
    return next((at for at in map(moment, stamps) if at), _first_time(warning, otherwise))
