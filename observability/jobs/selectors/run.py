"""What the page of one run shows: its line on top, its picture, where else to look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models.functions import Left

from console.unstructured import mapping, text
from observability.engines.commands import Command
from observability.engines.contracts import (
    DELETION,
    DENIALS,
    SITUATION,
    EventKind,
    LinkKind,
    Status,
)
from observability.engines.deletion import Deletion, stored_deletion
from observability.engines.features import EngineFeatures
from observability.engines.links import Link, RunAddress, links_out
from observability.engines.registry import adapter_for
from observability.jobs.charts.elements import RunTimes, TimelineEvent
from observability.jobs.charts.headline import (
    Headline,
    HeadlineInput,
    RunSummary,
    headline,
    summarize,
)
from observability.jobs.charts.labels import format_duration
from observability.jobs.charts.timeline import Gap, Timeline, draw
from observability.jobs.models import IngestGap, IngestState, JobRun

MOST_EVENTS: Final = 50_000
"""Events that are drawn; of a longer history the latest."""
_MOST_GAPS: Final = 50
_MESSAGE: Final = 160
_SOON: Final = 300.0
FAST, SLOW = 3, 20
"""Seconds between two looks at a run that moves, and at one that has been quiet for long."""


@dataclass(frozen=True, slots=True)
class LiveRun:
    """The part of the page that changes while a run is open.

    `undrawn` counts events that are too many for the picture; `read_at` is when its engine last
    answered, None when it never did, and `read_error` why it does not. `deletion` was asked for
    and is not done.
    """

    run: JobRun
    headline: Headline
    timeline: Timeline
    took: str
    undrawn: int
    read_at: datetime | None
    read_error: str
    is_overdue: bool
    deletion: Deletion | None


@dataclass(frozen=True, slots=True)
class RunLinks:
    """Where else to look, and what to type."""

    links: list[Link]
    commands: list[Command]

    @property
    def engine_page(self) -> Link | None:
        """The engine's own page of the run."""
        link = self.links[0]
        return link if link.url else None


def live_run(run: JobRun, *, now: datetime) -> LiveRun:
    """The run as it is now: four queries; expects target and tenant to be loaded."""
    events = _events(run)
    times = RunTimes(run.status, run.created_at, run.began_at, run.closed_at)
    summary = summarize(events)
    end = run.closed_at or now
    gaps = IngestGap.objects.filter(
        target_id=run.target_id, starts_at__lt=end, ends_at__gt=run.created_at
    ).order_by("starts_at")[:_MOST_GAPS]
    state = IngestState.objects.filter(target_id=run.target_id).first()
    return LiveRun(
        run=run,
        headline=headline(_facts(run, times, summary), summary, now=now),
        timeline=draw(
            times,
            events,
            now=now,
            gaps=[Gap(gap.starts_at, gap.ends_at, gap.cause) for gap in gaps],
        ),
        took=_took(run, end),
        undrawn=max(run.event_count - len(events), 0),
        read_at=state.read_at if state else None,
        read_error=state.error if state else "",
        is_overdue=_is_overdue(run, now),
        deletion=_deletion(run),
    )


def _took(run: JobRun, end: datetime) -> str:
    """How long it took, or takes so far; empty where the engine gives no times that can be true."""
    if run.times_problem and not run.is_open:
        return ""
    return format_duration(max((end - run.created_at).total_seconds(), 0))


def _events(run: JobRun) -> list[TimelineEvent]:
    """The events as the timeline needs them, oldest first; in the order of their index."""
    rows = run.events.annotate(short_message=Left("message", _MESSAGE)).values_list(
        "at", "kind", "step", "step_name", "attempt", "title", "short_message", "actor"
    )
    if run.event_count > MOST_EVENTS:
        latest = [TimelineEvent._make(row) for row in rows.order_by("-seq", "-key")[:MOST_EVENTS]]
        latest.reverse()
        return latest
    return [TimelineEvent._make(row) for row in rows.order_by("seq", "key")]


def _facts(run: JobRun, times: RunTimes, summary: RunSummary) -> HeadlineInput:
    return HeadlineInput(
        times=times,
        attempts=run.attempts,
        failure=run.failure,
        failure_kind=run.failure_kind,
        queue=run.queue,
        progress=run.progress,
        hold=run.hold,
        retry_at=_retry_at(run, summary.retry.step) if times.is_open and summary.retry else None,
        tells_steps=adapter_for(run.engine).features.numbers_events,
        status_times=run.times_problem,
        situation=text(run.attributes[SITUATION], 2000) if SITUATION in run.attributes else None,
        denials=mapping(run.attributes.get(DENIALS)) or None,
    )


def _retry_at(run: JobRun, step: str) -> datetime | None:
    """When the next attempt of a step is due, where the engine says so."""
    rows = run.events.filter(kind=EventKind.RETRY, step=step).order_by("-seq", "-key")
    detail = rows.values_list("detail", flat=True).first() or {}
    try:
        due = datetime.fromisoformat(str(detail.get("next_attempt_at") or detail.get("eta")))
    except ValueError:
        return None
    return due if due.tzinfo else None


def _deletion(run: JobRun) -> Deletion | None:
    gone = run.cleaned_at is not None or run.status == Status.DELETED
    return None if gone else stored_deletion(run.attributes.get(DELETION))


def _is_overdue(run: JobRun, now: datetime) -> bool:
    return run.cleanup_at is not None and run.cleaned_at is None and run.cleanup_at < now


def poll_seconds(run: JobRun, *, now: datetime) -> int:
    """Seconds until the page looks again; 0 for a run that has ended."""
    if not run.is_open:
        return 0
    quiet = (now - max(run.updated_at, run.created_at)).total_seconds()
    return FAST if quiet < _SOON else SLOW


def run_address(run: JobRun, *, now: datetime) -> RunAddress:
    """The run as addresses need it: two queries at most."""
    shared = dict(run.links.values_list("kind", "value"))
    features = adapter_for(run.engine).features
    return RunAddress(
        features=features,
        location=run.location,
        external_id=run.external_id,
        run_id=run.run_id,
        queue=run.queue,
        tenant=run.tenant.slug if run.tenant else "",
        since=run.created_at,
        until=run.closed_at or now,
        is_open=run.is_open,
        pod=_pod(run, features),
        trace_id=shared.get(LinkKind.TRACE, ""),
        request_id=shared.get(LinkKind.REQUEST, ""),
    )


def _pod(run: JobRun, features: EngineFeatures) -> str:
    """The run's latest pod, where its engine says which pods it used."""
    if not features.steps_are_pods:
        return ""
    rows = run.events.exclude(step="").order_by("-seq", "-key")
    return rows.values_list("step_name", flat=True).first() or ""


def run_links(run: JobRun, address: RunAddress) -> RunLinks:
    """Links and commands; expects the target to be loaded."""
    adapter = adapter_for(run.engine)
    options = run.target.options
    return RunLinks(
        links=links_out(adapter.links, address, options),
        commands=adapter.commands(address, options, run.target.endpoint),
    )
