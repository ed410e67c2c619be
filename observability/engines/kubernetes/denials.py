"""What the Kubernetes Events about a Job say of refused pods, counted per Job. Near-pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from console.unstructured import mapping, mappings, moment, whole
from observability.engines.contracts import FailureKind
from observability.engines.refusals import LONGEST, PodRefusal, refusal_in
from observability.engines.unstructured import (
    Object,
    created_of,
    name_of,
    short_hash,
    text,
    uid_of,
    version_of,
)

_MOST_REASONS: Final = 5
"""Different reasons of refusal that are kept apart; later ones count only together."""
_MOST_WORDS: Final = 600

_MOST_TIMES: Final = 10**9
_MOST_EVENTS: Final = 16
"""Events of one reason whose counts are remembered: most are in one, which counts up."""


@dataclass(frozen=True, slots=True)
class DenialReason:
    """One reason why pods were refused, from when to when as far as is known, how often.

    `events` are those that the cluster has of it: when each began, and its count, by a short name,
    the newest last. `counts` are the counts of these and of earlier ones as they were last: an
    Event that the cluster forgot goes on as another one, which counts from one.
    """

    id: str
    refusal: PodRefusal
    message: str
    first_at: datetime
    last_at: datetime
    count: int
    events: Mapping[str, tuple[datetime, int]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def detail(self) -> dict[str, Any]:
        """The same as JSON: counts, times, the amounts where a quota refused."""
        return {
            "count": self.count,
            "first_at": self.first_at.isoformat(),
            "last_at": self.last_at.isoformat(),
            "message": text(self.message, 1000),
            **self.refusal.detail(),
        }


@dataclass(frozen=True, slots=True)
class Denials:
    """Refused pods of a Job: how many in all, and why, the reason of the newest last.

    The cluster forgets its Events after an hour, and counts only some of very many: `count` is how
    often at least. `forgotten` are reasons of which it has no Event any more, as their JSON.
    """

    count: int
    first_at: datetime
    last_at: datetime
    reasons: tuple[DenialReason, ...]
    forgotten: tuple[Mapping[str, Any], ...] = ()

    @property
    def newest(self) -> PodRefusal:
        """The last refusal."""
        return self.reasons[-1].refusal

    @property
    def kind(self) -> FailureKind:
        """Who refused last."""
        return self.newest.kind

    def words(self) -> str:
        """What was refused last, for people."""
        return text(self.newest.words, _MOST_WORDS)

    def detail(self) -> dict[str, Any]:
        """The same as JSON: the newest refusal, and since when there was which reason."""
        return {
            "count": self.count,
            "first_at": self.first_at.isoformat(),
            "last_at": self.last_at.isoformat(),
            "message": text(self.reasons[-1].message, 1000),
            "words": self.words(),
            **self.newest.detail(),
            "reasons": [*map(dict, self.forgotten), *map(_summary, self.reasons)],
        }


def _summary(reason: DenialReason) -> dict[str, Any]:
    return {
        "id": reason.id,
        "kind": reason.refusal.kind.value,
        "by": text(reason.refusal.by, 260),
        "first_at": reason.first_at.isoformat(),
        "last_at": reason.last_at.isoformat(),
        "count": reason.count,
        "by_event": dict(list(reason.counts.items())[-_MOST_EVENTS:]),
    }


@dataclass(frozen=True, slots=True)
class FailedCreates:
    """What the Events about a Job say of pods that could not be created: `denials` where they were
    refused, `trouble` is what the API server last said when it was busy or away."""

    denials: Denials | None = None
    trouble: str = ""


def failed_creates_of(
    warnings: Sequence[Object], otherwise: datetime, known: Mapping[str, Any]
) -> FailedCreates:
    """Reads the FailedCreate events of one Job, on top of what was `known` of its denials (the
    detail that was last given): the Job counts, not the events, which expire."""
    mine = [warning for warning in warnings if warning.get("reason") == "FailedCreate"]
    mine.sort(key=lambda warning: (_last_time(warning, otherwise), _version(warning)))
    refused: dict[str, DenialReason] = {}
    trouble = ""
    for warning in mine:
        message = text(warning.get("message"), LONGEST)
        refusal = refusal_in(message)
        if refusal.kind is FailureKind.OTHER:
            trouble = refusal.words
            continue
        trouble = ""
        reason = _reason(warning, refusal, message, otherwise)
        before = refused.pop(reason.id, None)  # the newest goes last
        refused[reason.id] = _together(before, reason) if before else reason
    if not refused:
        return FailedCreates(None, text(trouble, _MOST_WORDS))
    return FailedCreates(_with_known(list(refused.values()), known), text(trouble, _MOST_WORDS))


def _reason(
    warning: Object, refusal: PodRefusal, message: str, otherwise: datetime
) -> DenialReason:
    first, count = _first_time(warning, otherwise), _times(warning)
    return DenialReason(
        id=short_hash(refusal.identity)[:8],
        refusal=refusal,
        message=message,
        first_at=first,
        last_at=_last_time(warning, otherwise),
        count=count,
        events={_event_id(warning): (first, count)},
    )


def _event_id(warning: Object) -> str:
    return short_hash(uid_of(warning) or name_of(warning))[:8]


def _together(before: DenialReason, later: DenialReason) -> DenialReason:
    return replace(
        later,
        first_at=min(before.first_at, later.first_at),
        count=before.count + later.count,
        events={**before.events, **later.events},
    )


def _with_known(reasons: Sequence[DenialReason], known: Mapping[str, Any]) -> Denials:
    """Puts back what expired: counts never fall, and nothing begins later than it did."""
    earlier = {text(item.get("id"), 16): item for item in mappings(known.get("reasons"))}
    joined = tuple(
        _since(reason, earlier.get(reason.id, {}), _elsewhere(reason, earlier))
        for reason in reasons
    )
    firsts = [reason.first_at for reason in joined]
    if known_first := moment(known.get("first_at")):
        firsts.append(known_first)
    there = {reason.id for reason in joined}
    forgotten = [_forgotten(item) for id, item in earlier.items() if id not in there]
    count = sum(reason.count for reason in joined)
    count += sum(item["count"] for item in forgotten)
    room = max(_MOST_REASONS - len(joined), 0)
    return Denials(
        count=min(max(count, whole(known.get("count")) or 0), _MOST_TIMES),
        first_at=min(firsts),
        last_at=max(reason.last_at for reason in joined),
        reasons=joined[-_MOST_REASONS:],
        forgotten=tuple(forgotten[len(forgotten) - min(room, len(forgotten)) :]),
    )


def _forgotten(known: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: text(known.get(name), 260) for name in ("id", "kind", "by")}
    times = {name: text(known.get(name), 40) for name in ("first_at", "last_at")}
    return {**texts, **times, "count": _bounded(known.get("count")), "by_event": _by_event(known)}


def _since(
    reason: DenialReason, known: Mapping[str, Any], elsewhere: Mapping[str, int]
) -> DenialReason:
    """A reason with what was known of it. `elsewhere`: how much of which Events was counted for
    other reasons. Where refusals are many, one Event tells of them all, each time the newest."""
    last, before, count = (
        moment(known.get("last_at")),
        _by_event(known),
        _bounded(known.get("count")),
    )
    events = {
        id: (reason.last_at if id in elsewhere else began, max(number - elsewhere.get(id, 0), 0))
        for id, (began, number) in reason.events.items()
    }
    for id, (began, number) in events.items():
        if id in before:
            count += max(number - before[id], 0)
        elif last is None or began > last:
            count += number  # one that began later; of others it is not known what was counted
    counts = {id: number for id, (_, number) in events.items()}
    firsts = [began for began, _ in events.values()]
    return replace(
        reason,
        first_at=min([*firsts, moment(known.get("first_at")) or reason.last_at]),
        count=min(max(count, sum(counts.values()), 1), _MOST_TIMES),
        counts={id: number for id, number in before.items() if id not in counts} | counts,
    )


def _by_event(known: Mapping[str, Any]) -> dict[str, int]:
    counts = mapping(known.get("by_event"))
    return {text(id, 8): _bounded(number) for id, number in counts.items()}


def _elsewhere(reason: DenialReason, known: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for id, item in known.items():
        if id != reason.id:
            counts.update(_by_event(item))
    return counts


def _bounded(number: object) -> int:
    return min(max(whole(number) or 0, 0), _MOST_TIMES)


def _version(warning: Object) -> tuple[int, str]:
    version = version_of(warning)
    return int(version) if version.isascii() and version.isdigit() else 0, name_of(warning)


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
