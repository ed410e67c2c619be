"""What a snapshot of a run adds to what is known of it, in whatever order they arrive. Pure.

Of each field the latest value counts; a snapshot that does not know a field leaves it. Which of
two is the later one is decided by the numbers in their revisions; where these are the same, a
closed run is later than an open one. So a closed run is only open again where the engine itself
says so.

`RunState` holds of each field also how late its value is, where that differs from the row
(`marks`): without that, a snapshot that arrives between two others would count or not by chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from console.unstructured import clean
from observability.engines.contracts import (
    LONGEST_MESSAGE,
    LONGEST_TITLE,
    OPEN,
    FailureKind,
    Hold,
    Progress,
    RunSnapshot,
    Status,
)
from observability.ingest.rules.masking import Masker
from observability.jobs.rules.bounding import (
    bounded_detail,
    bounded_id,
    bounded_text,
    detail_for_masking,
    for_masking,
    to_json,
)

_NUMBERS: Final = re.compile(r"\d{1,40}")
_SUCCESSFUL: Final = frozenset({Status.SUCCEEDED, Status.CONTINUED})
_LONGEST: Final = {
    "type": LONGEST_TITLE,
    "location": 255,
    "queue": 255,
    "fairness_key": 64,
    "started_by": 255,
    "worker": 255,
    "build": 255,
}
LONGEST_KEY: Final = 1400
_FAILURE: Final = ("failure", "failure_kind")
ATTRIBUTE: Final = "attributes."

Rank = tuple[tuple[int, ...], int, str, str]


def rank(revision: str, status: str, closed_at: datetime | None) -> Rank:
    """Orders snapshots of one run: a greater rank is later."""
    closed = 0 if status in OPEN else 1
    return (
        _numbers(revision),
        closed,
        closed_at.astimezone(UTC).isoformat() if closed_at else "",
        revision,
    )


@dataclass(frozen=True, slots=True)
class RunState:
    """What is known of a run: after one snapshot, or after all that came.

    `latest` are fields of which the latest value counts; `state` (status and `closed_at`) is always
    there. `attempts` is 0 where nothing is known of them. `marks` say how late fields are that are
    not as late as the row.
    """

    revision: str
    latest: Mapping[str, Any]
    created_at: datetime
    began_at: datetime | None = None
    attempts: int = 0
    progress: Mapping[str, Any] | None = None
    cleaned_at: datetime | None = None
    marks: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def rank(self) -> Rank:
        """Of the latest snapshot in it."""
        status, closed_at = self.latest["state"]
        return rank(self.revision, status, closed_at)


def state_of(snapshot: RunSnapshot, *, masker: Masker, tenant_id: int | None = None) -> RunState:
    """A snapshot as rows hold it, masked and bounded; `tenant_id` is that of `snapshot.tenant`."""
    revision = clean(snapshot.revision)[:100]
    closed_at = None if snapshot.status in OPEN else snapshot.closed_at or _last_time(snapshot)
    latest: dict[str, Any] = {"state": (snapshot.status.value, closed_at)}
    for name, longest in _LONGEST.items():
        if value := getattr(snapshot, name):
            latest[name] = bounded_text(value, longest)
    if snapshot.parent:
        latest["parent_key"] = bounded_id(snapshot.parent, LONGEST_KEY)
    if tenant_id is not None:
        latest["declared"] = tenant_id
    if snapshot.cleanup_at is not None:
        latest["cleanup_at"] = snapshot.cleanup_at
    if snapshot.hold is not None:
        latest["hold"] = _hold(snapshot.hold, masker)
    latest.update(_failure(snapshot, masker))
    latest.update(_attributes(snapshot.attributes, masker))
    state = RunState(
        revision=revision,
        latest=latest,
        created_at=snapshot.created_at,
        began_at=snapshot.began_at,
        attempts=snapshot.attempts or 0,
        progress=_progress(snapshot.progress, masker),
        cleaned_at=snapshot.cleaned_at,
    )
    if not snapshot.is_well:
        return state
    return replace(state, marks=_marks(latest, dict.fromkeys(latest, state.rank), state.rank))


def _last_time(snapshot: RunSnapshot) -> datetime:
    """When a run ended of which only that is known."""
    times = [
        snapshot.created_at,
        snapshot.began_at,
        snapshot.cleaned_at,
        *(event.at for event in snapshot.events),
    ]
    return max(time for time in times if time is not None)


def _failure(snapshot: RunSnapshot, masker: Masker) -> Iterator[tuple[str, str]]:
    succeeded = snapshot.status in _SUCCESSFUL  # an attempt that failed on the way is in its event
    over = succeeded or snapshot.is_well
    if over or snapshot.failure:
        yield "failure", "" if succeeded else _masked(snapshot.failure, masker)
    if over or snapshot.failure_kind != FailureKind.NONE:
        yield "failure_kind", "" if succeeded else snapshot.failure_kind.value


def _hold(hold: Hold, masker: Masker) -> dict[str, str | None]:
    until = hold.until.astimezone(UTC).isoformat() if hold.until else None
    return {"until": until, "reason": bounded_text(masker.text(for_masking(hold.reason)), 200)}


def _masked(text: str, masker: Masker) -> str:
    return bounded_text(masker.text(for_masking(text)), LONGEST_MESSAGE)


def _attributes(attributes: Mapping[str, Any], masker: Masker) -> Iterator[tuple[str, Any]]:
    if attributes:
        shown = detail_for_masking(attributes, to_json(attributes))
        for key, value in bounded_detail(masker.value(shown)).items():
            yield ATTRIBUTE + key, value


def _progress(progress: Progress | None, masker: Masker) -> dict[str, Any] | None:
    if progress is None:
        return None
    return {
        "at": progress.at.isoformat(),
        "done": progress.done,
        "total": progress.total,
        "text": _masked(progress.text, masker),
    }


def merged(old: RunState, new: RunState) -> RunState:
    """What is known after one more snapshot."""
    before, rank = old.rank, new.rank
    latest, marks = _latest(old, before, new, rank)
    return replace(
        old,
        revision=new.revision if rank > before else old.revision,
        latest=latest,
        marks=marks,
        created_at=min(old.created_at, new.created_at),
        began_at=_earliest(old.began_at, new.began_at),
        attempts=max(old.attempts, new.attempts),
        progress=_later_progress(old.progress, new.progress),
        cleaned_at=_earliest(old.cleaned_at, new.cleaned_at),
    )


def _latest(
    old: RunState, before: Rank, new: RunState, rank: Rank
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The latest value of each field, and how late it is where that is not as late as the row.
    `before` and `rank` are how late the two are."""
    latest, ranks = dict(old.latest), _ranks(old, before)
    for name, value in new.latest.items():
        if name not in latest or _beats((rank, value), (ranks[name], latest[name])):
            latest[name], ranks[name] = value, rank
    return latest, _marks(latest, ranks, max(before, rank))


def _marks(latest: Mapping[str, Any], ranks: Mapping[str, Rank], top: Rank) -> dict[str, list[str]]:
    """How late the fields are that are not as late as the row; and the failures that are over,
    which a row could not tell from those that nobody knows."""
    over: frozenset[str] = frozenset()
    if latest["state"][0] not in _SUCCESSFUL:
        over = frozenset(name for name in _FAILURE if latest.get(name) == "")
    return {name: _mark(own) for name, own in ranks.items() if own != top or name in over}


def _beats(new: tuple[Rank, Any], old: tuple[Rank, Any]) -> bool:
    if new[0] != old[0]:
        return new[0] > old[0]
    # Two snapshots of one revision that differ: any rule will do that does not go by arrival.
    return new[1] != old[1] and repr(new[1]) > repr(old[1])


def _ranks(old: RunState, before: Rank) -> dict[str, Rank]:
    ranks = dict.fromkeys(old.latest, before)
    for name, mark in old.marks.items():
        if name in ranks:
            ranks[name] = _rank_of_mark(mark)
    return ranks


def _mark(rank: Rank) -> list[str]:
    return [str(rank[1]), rank[2], rank[3]]


def _rank_of_mark(mark: list[str]) -> Rank:
    closed, closed_at, revision = mark
    return (_numbers(revision), int(closed), closed_at, revision)


def _numbers(revision: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBERS.findall(revision))


def _earliest(first: datetime | None, second: datetime | None) -> datetime | None:
    return min(first, second) if first and second else first or second


def _later_progress(
    first: Mapping[str, Any] | None, second: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    if not (first and second):
        return first or second
    return max(
        first,
        second,
        key=lambda progress: (_reported_at(progress), repr(sorted(progress.items()))),
    )


def _reported_at(progress: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(progress["at"])
