"""The events of one run, page by page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Q

from console.database.keyset import Page, keyset_page
from console.pages.visible import visible
from observability.engines import links
from observability.engines.registry import adapter_for
from observability.jobs.charts.labels import (
    EVENT_GROUPS,
    format_duration,
    glyph_for,
    kind_label,
)
from observability.jobs.models import JobEvent, JobRun

PAGE: Final = 100
SHOWN: Final = 1500
"""Letters of a payload that the list shows; the rest comes when it is asked for."""
_STACKS: Final = ("stack", "traceback", "stack_trace")
_MESSAGE: Final = 300


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the events is shown. `order` is "newest" or "oldest"; empty texts do not filter."""

    group: str = ""
    step: str = ""
    text: str = ""
    order: str = "newest"

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Filters:
        """From a query; what makes no sense there is ignored."""
        group, order = parameters.get("kind", ""), parameters.get("order", "")
        return cls(
            group=group if group in EVENT_GROUPS else "",
            step=parameters.get("step", "")[:255].replace("\0", ""),
            text=parameters.get("text", "")[:200].replace("\0", "").strip(),
            order=order if order == "oldest" else "newest",
        )

    @property
    def any(self) -> bool:
        """Whether anything is left out."""
        return bool(self.group or self.step or self.text)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event as the page shows it. `payload` is its detail as text without the `stack`;
    `more` says that there is more of either. Texts are made visible, not escaped."""

    id: int
    at: datetime
    offset: str
    kind: str
    word: str
    glyph: str
    title: str
    step: str
    step_name: str
    attempt: int
    actor: str
    message: str
    stack: str
    payload: str
    more: bool
    link: str

    @property
    def is_bad(self) -> bool:
        """Whether it is a failure."""
        return self.glyph == "bad"

    @property
    def is_long(self) -> bool:
        """Whether the message needs room of its own."""
        return len(self.message) > _MESSAGE or "\n" in self.message


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of events: `page` has the cursors."""

    page: Page[JobEvent]
    rows: list[EventRow]
    filters: Filters


def events_of(
    run: JobRun, address: links.RunAddress, *, filters: Filters, cursor: str = ""
) -> EventPage:
    """One page, in one query."""
    events = run.events.all()
    if filters.group:
        events = events.filter(kind__in=sorted(EVENT_GROUPS[filters.group][1]))
    if filters.step:
        events = events.filter(step=filters.step)
    if filters.text:
        events = events.filter(
            Q(title__icontains=filters.text)
            | Q(message__icontains=filters.text)
            | Q(actor__icontains=filters.text)
            | Q(step_name__icontains=filters.text)
        )
    page = keyset_page(
        events,
        cursor=cursor,
        key=("seq", "key"),
        size=PAGE,
        descending=filters.order != "oldest",
    )
    rows = [event_row(run, event, address, most=SHOWN) for event in page.rows]
    return EventPage(page, rows, filters)


def event_row(
    run: JobRun, event: JobEvent, address: links.RunAddress, *, most: int | None = None
) -> EventRow:
    """One event; `most` letters of its payload and of its stack, all of them for None."""
    detail = dict(event.detail) if isinstance(event.detail, dict) else {"detail": event.detail}
    stack = _stack(detail)
    payload = json.dumps(detail, indent=2, ensure_ascii=False) if detail else ""
    more = most is not None and max(len(payload), len(stack)) > most
    return EventRow(
        id=event.pk,
        at=event.at,
        offset=_offset(event.at, run.created_at),
        kind=event.kind,
        word=kind_label(event.kind),
        glyph=glyph_for(event.kind),
        title=visible(event.title),
        step=event.step,
        step_name=visible(event.step_name or event.step),
        attempt=event.attempt,
        actor=visible(event.actor),
        message=visible(event.message),
        stack=visible(stack[:most]),
        payload=visible(payload[:most]),
        more=more,
        link=links.event_link(
            adapter_for(run.engine).links,
            address,
            run.target.options,
            key=event.key,
            step=event.step,
        ),
    )


def _stack(detail: dict[str, Any]) -> str:
    """Takes the stack trace out of a detail."""
    for name in _STACKS:
        if isinstance(detail.get(name), str):
            return str(detail.pop(name))
    return ""


def _offset(at: datetime, start: datetime) -> str:
    seconds = (at - start).total_seconds()
    return f"+{format_duration(seconds)}" if seconds >= 0 else format_duration(seconds)


@dataclass(frozen=True, slots=True)
class EventGroup:
    """One family of kinds that can be chosen, with how many events it has."""

    name: str
    label: str
    count: int


def groups_of(run: JobRun) -> list[EventGroup]:
    """The families that the run has events of: one query."""
    kinds: Counter[str] = Counter(
        dict(run.events.order_by().values_list("kind").annotate(number=Count("pk")))
    )
    groups = (
        EventGroup(name, label, sum(kinds[kind] for kind in members))
        for name, (label, members) in EVENT_GROUPS.items()
    )
    return [group for group in groups if group.count]


def steps_of(lanes: Iterable[tuple[str, str]], chosen: str) -> list[tuple[str, str]]:
    """The steps that can be chosen, as (key, name); the chosen one is among them in any case."""
    steps = {step: visible(name) for step, name in lanes if step}
    if chosen:
        steps.setdefault(chosen, visible(chosen))
    return list(steps.items())
