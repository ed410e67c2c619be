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
from observability.engines import links
from observability.engines.registry import adapter_for
from observability.jobs.charts.labels import (
    GROUPS,
    glyph_of,
    kind_words,
    span,
    visible,
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
    def of(cls, sent: Mapping[str, str]) -> Filters:
        """From a query; what makes no sense there is ignored."""
        group, order = sent.get("kind", ""), sent.get("order", "")
        return cls(
            group=group if group in GROUPS else "",
            step=sent.get("step", "")[:255].replace("\0", ""),
            text=sent.get("text", "")[:200].replace("\0", "").strip(),
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
    run: JobRun, subject: links.Subject, *, filters: Filters, cursor: str = ""
) -> EventPage:
    """One page, in one query."""
    found = run.events.all()
    if filters.group:
        found = found.filter(kind__in=sorted(GROUPS[filters.group][1]))
    if filters.step:
        found = found.filter(step=filters.step)
    if filters.text:
        found = found.filter(
            Q(title__icontains=filters.text)
            | Q(message__icontains=filters.text)
            | Q(actor__icontains=filters.text)
            | Q(step_name__icontains=filters.text)
        )
    page = keyset_page(
        found,
        cursor=cursor,
        key=("seq", "key"),
        size=PAGE,
        descending=filters.order != "oldest",
    )
    rows = [event_row(run, event, subject, most=SHOWN) for event in page.rows]
    return EventPage(page, rows, filters)


def event_row(
    run: JobRun, event: JobEvent, subject: links.Subject, *, most: int | None = None
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
        word=kind_words(event.kind),
        glyph=glyph_of(event.kind),
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
            subject,
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
    return f"+{span(seconds)}" if seconds >= 0 else span(seconds)


@dataclass(frozen=True, slots=True)
class Group:
    """One family of kinds that can be chosen, with how many events it has."""

    name: str
    words: str
    number: int


def groups_of(run: JobRun) -> list[Group]:
    """The families that the run has events of: one query."""
    kinds: Counter[str] = Counter(
        dict(run.events.order_by().values_list("kind").annotate(number=Count("pk")))
    )
    found = (
        Group(name, words, sum(kinds[kind] for kind in members))
        for name, (words, members) in GROUPS.items()
    )
    return [group for group in found if group.number]


def steps_of(lines: Iterable[tuple[str, str]], chosen: str) -> list[tuple[str, str]]:
    """The steps that can be chosen, as (key, name); the chosen one is among them in any case."""
    found = {step: visible(name) for step, name in lines if step}
    if chosen:
        found.setdefault(chosen, visible(chosen))
    return list(found.items())
