"""/metrics: how far ingest is and when each loop last ran, in Prometheus's text format, from rows:
any replica may be asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.loops.contracts import LoopStatus
from console.loops.selectors import loop_statuses
from observability.jobs.selectors.ingest import Backlog, IngestStatus, backlogs, ingest_statuses
from tenants.selectors import unreadable_by_target


class _Whatever(BaseContentNegotiation):
    """There is one format, whatever a scraper says that it accepts."""

    def select_parser(self, request: Request, parsers: Any) -> Any:  # noqa: ARG002 - DRF's signature
        """Nothing is sent here."""
        return parsers[0]

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002 - DRF's signature
        renderers: Any,
        format_suffix: str | None = None,  # noqa: ARG002 - DRF's signature
    ) -> tuple[BaseRenderer, str]:
        """For errors."""
        return renderers[0], renderers[0].media_type


class Metrics(APIView):
    """Lag and progress of ingest by target, and the age of every loop. Scrape with a bearer token
    of a role that may view."""

    required_permissions: ClassVar = {"GET": Permission.VIEW}
    content_negotiation_class = _Whatever
    schema = None

    def get(self, request: Request) -> HttpResponse:  # noqa: ARG002 - DRF's signature
        """The whole registry, in a constant number of queries."""
        now = timezone.now()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Ingest(ingest_statuses(now), backlogs(), unreadable_by_target()))
        registry.register(_Loops(loop_statuses(now), now))
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Ingest(Collector):
    """The families, made of what was read for this request."""

    def __init__(
        self,
        statuses: list[IngestStatus],
        backlog_by_target: dict[int, Backlog],
        unreadable: dict[tuple[str, str], int],
    ) -> None:
        self._statuses = statuses
        self._backlogs = backlog_by_target
        self._unreadable = unreadable

    def describe(self) -> list[Metric]:
        """Nothing: a registry of its own has no other collector to clash with."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One family each."""
        yield from self._progress()
        yield from self._backlog()
        objects = GaugeMetricFamily(
            "headroom_unreadable_objects",
            "Objects and events on a target that cannot be read; at most 50 of a tenant are kept.",
            labels=["target", "reader"],
        )
        for labels, number in self._unreadable.items():
            objects.add_metric(labels, float(number))
        yield objects

    def _progress(self) -> Iterator[Metric]:
        lag = _gauge("lag_seconds", "Seconds that the job audit trail may be behind the engine.")
        caught_up = _gauge("caught_up", "1 when everything that the engine had was read.")
        errors = _gauge("errors", "1 while the target cannot be read.")
        runs = _counter(
            "runs_read", "States of runs that were read, one run as often as it was read."
        )
        events = _counter("events_read", "New events that were stored.")
        for status in self._statuses:
            name = [status.target.slug]
            if status.lag is not None:
                lag.add_metric(name, status.lag)
            caught_up.add_metric(name, float(status.caught_up))
            errors.add_metric(name, float(bool(status.error)))
            runs.add_metric(name, float(status.state.runs_read if status.state else 0))
            events.add_metric(name, float(status.state.events_read if status.state else 0))
        yield from (lag, caught_up, errors, runs, events)

    def _backlog(self) -> Iterator[Metric]:
        open_runs = _gauge("open_runs", "Runs that have not ended as far as we know.")
        histories = _gauge("histories_due", "Histories still to be fetched.")
        documents = _gauge("documents_due", "Documents of closed runs still to be archived.")
        for status in self._statuses:
            backlog = self._backlogs.get(status.target.pk, Backlog())
            open_runs.add_metric([status.target.slug], float(backlog.open_runs))
            histories.add_metric([status.target.slug], float(backlog.histories))
            documents.add_metric([status.target.slug], float(backlog.documents))
        yield from (open_runs, histories, documents)


class _Loops(Collector):
    """When each loop last ran."""

    def __init__(self, statuses: Sequence[LoopStatus], now: datetime) -> None:
        self._statuses = statuses
        self._now = now

    def describe(self) -> list[Metric]:
        """Nothing, as above."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Two families; a loop that nobody ever heard of is infinitely old."""
        age = GaugeMetricFamily(
            "headroom_loop_age_seconds",
            "Seconds since the loop last did its round.",
            labels=["loop", "target"],
        )
        late = GaugeMetricFamily(
            "headroom_loop_late",
            "1 when the loop has missed its time by more than chance.",
            labels=["loop", "target"],
        )
        for status in self._statuses:
            seconds = status.age(self._now)
            names = [status.name, status.target]
            age.add_metric(names, math.inf if seconds is None else seconds)
            late.add_metric(names, float(status.late(self._now)))
        yield from (age, late)


def _gauge(name: str, description: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"headroom_ingest_{name}", description, labels=["target"])


def _counter(name: str, description: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"headroom_ingest_{name}", description, labels=["target"])
