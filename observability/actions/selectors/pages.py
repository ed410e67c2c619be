"""Orders as pages and REST show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from observability.actions.models import ItemStatus, Order, OrderItem
from observability.actions.selectors.facts import offers
from observability.engines.catalogue import VERBS
from observability.engines.contracts import ENGINE_LABELS, Engine
from observability.engines.verbs import Availability
from observability.jobs.models import JobRun

SHOWN: Final = 20
"""The latest orders of a run that its panel shows."""
BAD_ITEMS: Final = (ItemStatus.REFUSED, ItemStatus.FAILED, ItemStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Panel:
    """What can be done to a run now, what not and why, and what was done."""

    possible: list[Availability]
    impossible: list[Availability]
    orders: list[Order]
    items: list[OrderItem]
    is_moving: bool


def panel_of(run: JobRun) -> Panel:
    """The panel of one run."""
    offered = [offer for offer in offers(run) if not offer.hidden]
    orders = list(of_run(run)[:SHOWN])
    items = OrderItem.objects.filter(run=run).select_related("order").order_by("-id")
    return Panel(
        possible=[offer for offer in offered if not offer.why_not],
        impossible=[offer for offer in offered if offer.why_not],
        orders=orders,
        items=list(items[:SHOWN]),
        is_moving=any(order.is_open for order in orders),
    )


def of_run(run: JobRun) -> QuerySet[Order]:
    """The orders about one run, newest first."""
    return listed(Order.objects.filter(run=run)).order_by("-created_at", "-id")


def listed(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Orders with all that a row shows."""
    return orders.select_related("target", "tenant", "run").defer("preview")


def with_items(order: Order, *, bad: bool = False) -> QuerySet[OrderItem]:
    """The runs of a batch; with `bad` only those that were not done."""
    items = OrderItem.objects.filter(order=order).select_related("run")
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
