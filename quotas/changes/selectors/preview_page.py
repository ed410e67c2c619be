"""The preview of a proposal as its page shows it: the answer first, then who, what and how much."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.pages.plural import plural
from quotas.changes.models import Proposal
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
class Obstacle:
    """Something that cannot be pushed now: the state that it will be shown as, and why."""

    state: str
    word: str
    target: str
    message: str
    placements: int
    tenants: Sequence[str]
    more: int
    owner: str
    key: str


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """What the preview page reads."""

    sentence: str
    at: datetime
    fingerprint: str
    confirm: str
    limits: Sequence[LimitChangeLine]
    settings: Sequence[Mapping[str, Any]]
    over_limit: Sequence[Mapping[str, Any]]
    over_limit_total: int
    over_limit_tenants: int
    shadowed: Sequence[Mapping[str, Any]]
    shadowed_total: int
    shadowed_tenants: int
    obstacles: Sequence[Obstacle]
    costs: Sequence[Mapping[str, Any]]
    calls: int
    seconds: float
    warnings: Sequence[str]
    tenants: int
    objects: int
    creates: int
    updates: int
    deletes: int

    @property
    def is_whole(self) -> bool:
        """A tenant comes or goes with everything it has: its limits are no news one by one."""
        return len(self.limits) > 1 and all(
            line.direction in ("added", "removed") for line in self.limits
        )

    @property
    def writes_nothing(self) -> bool:
        """Neither objects nor limits nor settings change."""
        return not (self.objects or self.limits or self.settings)


def preview_page(proposal: Proposal) -> PreviewPage | None:
    """The page of a proposal; None while its preview is being computed."""
    preview = proposal.preview
    if not preview:
        return None
    over_limit = preview["over_limit"]
    return PreviewPage(
        sentence=sentence(preview),
        at=datetime.fromisoformat(preview["at"]),
        fingerprint=proposal.fingerprint,
        confirm=preview["confirm"],
        limits=_limit_lines(preview),
        settings=preview["settings"],
        over_limit=over_limit[:SHOWN],
        over_limit_total=len(over_limit),
        over_limit_tenants=len({row["tenant"] for row in over_limit}),
        shadowed=preview["shadowed"][:SHOWN],
        shadowed_total=preview["shadowed_total"],
        shadowed_tenants=preview["shadowed_tenants"],
        obstacles=[_obstacle(obstacle) for obstacle in preview["blocked"]],
        costs=preview["costs"],
        calls=preview["calls"],
        seconds=preview["seconds"],
        warnings=preview["warnings"],
        tenants=preview["tenants"],
        objects=preview["objects_total"],
        creates=preview["creates"],
        updates=preview["updates"],
        deletes=preview["deletes"],
    )


def sentence(preview: Mapping[str, Any]) -> str:
    """The answer: how many tenants, objects and targets, and who is over the new limits."""
    tenants, objects = preview["tenants"], preview["objects_total"]
    targets = sum(1 for cost in preview["costs"] if cost["objects"])
    deleted = preview["deletes"]
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
    over = len({row["tenant"] for row in preview["over_limit"]})
    if over:
        return f"{text}; {plural(over, 'already uses', 'already use')} more than the new limits."
    if any(_direction(limit) == "lowered" for limit in preview["limits"]):
        return f"{text}; no tenant uses more than the new limits."
    return f"{text}."


def _limit_lines(preview: Mapping[str, Any]) -> list[LimitChangeLine]:
    over: dict[tuple[str, int], set[str]] = defaultdict(set)
    effects: dict[str, str] = {}
    for row in preview["over_limit"]:
        over[row["key"], row["limit"]].add(row["tenant"])
        effects[row["key"]] = row["effect"]
    lines = [
        LimitChangeLine(
            key=limit["key"],
            label=limit["label"],
            before=limit["before_text"],
            after=limit["after_text"],
            tenants=limit["tenants"],
            direction=_direction(limit),
            over=len(over.get((limit["key"], limit["after"]), ())),
            effect=effects.get(limit["key"], ""),
        )
        for limit in preview["limits"]
    ]
    # What hurts comes first, then what is less, then the rest.
    return sorted(lines, key=lambda line: (-line.over, line.direction != "lowered"))


def _direction(change: Mapping[str, Any]) -> str:
    """Raised or lowered, from set and unlimited alike; UNSET stands for a limit that is not set."""
    if change["before_text"] == UNSET:
        return "added"
    if change["after_text"] == UNSET:
        return "removed"
    before, after = change["before"], change["after"]
    if after is None or (before is not None and after > before):
        return "raised"
    return "lowered"


def _obstacle(obstacle: Mapping[str, Any]) -> Obstacle:
    state, word = _CAUSES.get(obstacle["cause"], ("unknown", str(obstacle["cause"]).capitalize()))
    return Obstacle(
        state=state,
        word=word,
        target=obstacle["target"],
        message=obstacle["message"],
        placements=obstacle["placements"],
        tenants=obstacle["tenants"],
        more=max(0, obstacle["placements"] - len(obstacle["tenants"])),
        owner=obstacle["owner"],
        key=obstacle["key"],
    )


@dataclass(frozen=True, slots=True)
class ObjectsPage:
    """One page of the objects that match a filter, and what can be chosen in the filter."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    first: int
    last: int
    previous: int
    next: int
    tenants: Sequence[tuple[str, int]]
    targets: Sequence[tuple[str, int]]
    unlisted: int


def objects_page(proposal: Proposal, *, tenant: str, target: str, number: int) -> ObjectsPage:
    """Page `number` (from 1) of the objects of a preview, of one tenant and target if named."""
    preview = proposal.preview or {"objects": [], "objects_total": 0}
    every = preview["objects"]
    matching = [
        item
        for item in every
        if (not tenant or item["tenant"] == tenant) and (not target or item["target"] == target)
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
        tenants=sorted(Counter(item["tenant"] for item in every).items()),
        targets=sorted(Counter(item["target"] for item in every).items()),
        unlisted=preview["objects_total"] - len(every),
    )
