"""Actions as pages and REST show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from observability.actions.models import Action, ActionItem, ItemStatus
from observability.actions.selectors.facts import offers
from observability.engines.catalogue import VERBS
from observability.engines.contracts import ENGINE_LABELS, Engine
from observability.engines.verbs import Availability
from observability.jobs.models import JobRun

SHOWN: Final = 20
"""The latest actions of a run that its panel shows."""
BAD_ITEMS: Final = (ItemStatus.REFUSED, ItemStatus.FAILED, ItemStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Panel:
    """What can be done to a run now, what not and why, and what was done."""

    possible: list[Availability]
    impossible: list[Availability]
    actions: list[Action]
    items: list[ActionItem]
    is_moving: bool


def panel_of(run: JobRun) -> Panel:
    """The panel of one run."""
    offered = [offer for offer in offers(run) if not offer.hidden]
    actions = list(of_run(run)[:SHOWN])
    items = ActionItem.objects.filter(run=run).select_related("action").order_by("-id")
    return Panel(
        possible=[offer for offer in offered if not offer.why_not],
        impossible=[offer for offer in offered if offer.why_not],
        actions=actions,
        items=list(items[:SHOWN]),
        is_moving=any(action.is_open for action in actions),
    )


def of_run(run: JobRun) -> QuerySet[Action]:
    """The actions about one run, newest first."""
    return listed(Action.objects.filter(run=run)).order_by("-created_at", "-id")


def listed(actions: QuerySet[Action]) -> QuerySet[Action]:
    """Actions with all that a row shows."""
    return actions.select_related("target", "tenant", "run").defer("preview")


def with_items(action: Action, *, bad: bool = False) -> QuerySet[ActionItem]:
    """The runs of a batch; with `bad` only those that were not done."""
    items = ActionItem.objects.filter(action=action).select_related("run")
    return items.filter(status__in=BAD_ITEMS) if bad else items


def batch_verbs() -> list[tuple[str, list[Availability]]]:
    """Verbs that many runs can get, by engine."""
    return [
        (
            ENGINE_LABELS[engine],
            [Availability(verb) for verb in VERBS if verb.engine == engine.value and verb.in_batch],
        )
        for engine in Engine
    ]
