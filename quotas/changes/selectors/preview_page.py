"""The preview of a proposal as its page shows it: the answer first, then who, what and how much."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from console.pages.plural import plural
from quotas.changes.contracts import (
    Blocked,
    LimitChange,
    ObjectChange,
    OverLimit,
    Preview,
    ShadowedLimit,
)
from quotas.changes.rules.titles import UNSET

SHOWN = 100
"""So many tenants are listed where a list could be long; the rest is counted."""
PER_PAGE = 50
_CAUSES = {
    "unreachable": ("unreachable", "Unreachable"),
    "disabled": ("suspended", "Disabled"),
    "unobserved": ("unknown", "Could not be read"),
    "refused": ("refused", "Refused"),
    "conflict": ("conflict", "Conflict"),
}


@dataclass(frozen=True, slots=True)
class LimitChangeLine:
    """One limit before and after. `over` tenants use more than the new value already."""

    key: str
    label: str
    before: str
    after: str
    tenants: int
    direction: str
    over: int
    effect: str


@dataclass(frozen=True, slots=True)
class BlockedLine:
    """What cannot be pushed now, the state that it will be shown as, and how many tenants more
    than `blocked` names."""

    blocked: Blocked
    state: str
    word: str
    more: int


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """What the preview page reads."""

    preview: Preview
    sentence: str
    at: datetime
    limits: Sequence[LimitChangeLine]
    over_limit: Sequence[OverLimit]
    over_limit_tenants: int
    shadowed: Sequence[ShadowedLimit]
    blocked: Sequence[BlockedLine]

    @property
    def is_whole(self) -> bool:
        """A tenant comes or goes with everything it has: its limits are no news one by one."""
        return len(self.limits) > 1 and all(
            line.direction in ("added", "removed") for line in self.limits
        )

    @property
    def writes_nothing(self) -> bool:
        """Neither objects nor limits nor settings change."""
        return not (self.preview.objects_total or self.limits or self.preview.settings)


def preview_page(preview: Preview) -> PreviewPage:
    """The page of a preview."""
    return PreviewPage(
        preview=preview,
        sentence=sentence(preview),
        at=datetime.fromisoformat(preview.at),
        limits=_limit_lines(preview),
        over_limit=preview.over_limit[:SHOWN],
        over_limit_tenants=len({row.tenant for row in preview.over_limit}),
        shadowed=preview.shadowed[:SHOWN],
        blocked=[_blocked_line(blocked) for blocked in preview.blocked],
    )


def sentence(preview: Preview) -> str:
    """The answer: how many tenants, objects and targets, and who is over the new limits."""
    tenants, objects, deleted = preview.tenants, preview.objects_total, preview.deletes
    targets = sum(1 for cost in preview.costs if cost.objects)
    if not objects:
        text = f"{plural(tenants, 'tenant')}, nothing to write on any target"
    elif deleted == objects:
        text = f"{plural(tenants, 'tenant')}, {plural(objects, 'object')} deleted"
    else:
        text = f"{plural(tenants, 'tenant')}, {plural(objects, 'object')}"
    if objects:
        text += f" on {plural(targets, 'target')}"
    if 0 < deleted < objects:
        text += f" ({deleted:,} deleted)"
    over = len({row.tenant for row in preview.over_limit})
    if over:
        return f"{text}; {plural(over, 'already uses', 'already use')} more than the new limits."
    if any(_direction(limit) == "lowered" for limit in preview.limits):
        return f"{text}; no tenant uses more than the new limits."
    return f"{text}."


def _limit_lines(preview: Preview) -> list[LimitChangeLine]:
    over: dict[tuple[str, int], set[str]] = defaultdict(set)
    effects: dict[str, str] = {}
    for row in preview.over_limit:
        over[row.key, row.limit].add(row.tenant)
        effects[row.key] = row.effect
    lines = [
        LimitChangeLine(
            key=limit.key,
            label=limit.label,
            before=limit.before_text,
            after=limit.after_text,
            tenants=limit.tenants,
            direction=_direction(limit),
            over=0 if limit.after is None else len(over.get((limit.key, limit.after), ())),
            effect=effects.get(limit.key, ""),
        )
        for limit in preview.limits
    ]
    # Limits that tenants are over come first, then lowered ones, then the rest.
    return sorted(lines, key=lambda line: (-line.over, line.direction != "lowered"))


def _direction(change: LimitChange) -> str:
    """Raised or lowered, from set and unlimited alike; UNSET stands for a limit that is not set."""
    if change.before_text == UNSET:
        return "added"
    if change.after_text == UNSET:
        return "removed"
    before, after = change.before, change.after
    if after is None or (before is not None and after > before):
        return "raised"
    return "lowered"


def _blocked_line(blocked: Blocked) -> BlockedLine:
    state, word = _CAUSES.get(blocked.cause, ("unknown", blocked.cause.capitalize()))
    return BlockedLine(
        blocked=blocked,
        state=state,
        word=word,
        more=max(0, blocked.placements - len(blocked.tenants)),
    )


@dataclass(frozen=True, slots=True)
class ObjectsPage:
    """One page of the objects that match a filter, and what can be chosen in the filter."""

    rows: Sequence[ObjectChange]
    total: int
    first: int
    last: int
    previous: int
    next: int
    tenants: Sequence[tuple[str, int]]
    targets: Sequence[tuple[str, int]]
    unlisted: int


def objects_page(preview: Preview | None, *, tenant: str, target: str, number: int) -> ObjectsPage:
    """Page `number` (from 1) of the objects of a preview, of one tenant and target if named; empty
    while it is being computed (None)."""
    every = preview.objects if preview else ()
    matching = [
        item
        for item in every
        if (not tenant or item.tenant == tenant) and (not target or item.target == target)
    ]
    pages = max(1, -(-len(matching) // PER_PAGE))
    number = min(max(1, number), pages)
    start = (number - 1) * PER_PAGE
    rows = matching[start : start + PER_PAGE]
    return ObjectsPage(
        rows=rows,
        total=len(matching),
        first=start + 1 if rows else 0,
        last=start + len(rows),
        previous=number - 1,
        next=number + 1 if number < pages else 0,
        tenants=sorted(Counter(item.tenant for item in every).items()),
        targets=sorted(Counter(item.target for item in every).items()),
        unlisted=preview.objects_total - len(every) if preview else 0,
    )
