"""What the explorer shows: lines, facets, how far behind the engines we are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet

from console.access.models import User
from observability.engines.contracts import ENGINE_LABELS, STATUS_LABELS, Engine, Status
from observability.engines.failure_kinds import REFUSALS
from observability.engines.registry import adapter_for
from observability.jobs.charts.holds import describe_hold
from observability.jobs.charts.labels import failure_label, format_duration
from observability.jobs.models import JobRun
from observability.jobs.rules.query import NOBODY, Query
from observability.jobs.selectors.search import KEY, search_for
from tenants.models import Target, Tenant

COUNTED: Final = 10_000
SHOWN: Final = 8
_WORDS: Final = 90
_COLUMNS: Final[Mapping[str, str]] = {
    "status": "status",
    "engine": "engine",
    "tenant": "tenant_id",
    "type": "type",
    "target": "target_id",
    "failure": "failure_kind",
}
LINE_FIELDS: Final = (
    "id", "engine", "external_id", "type", "status", "created_at", "began_at", "closed_at",
    "duration_ms", "attempts", "failure", "failure_kind", "progress", "cleanup_at",
    "cleaned_at", "hold", "tenant__slug", "target__slug",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run on one line. `name` is its id there; `took` is how long, so far while it is open.
    `why` is its failure, of an open one that of its last attempt; `held` what it is held back for.
    """

    id: int
    status: str
    type: str
    name: str
    tenant: str
    engine: str
    engine_label: str
    target: str
    created_at: datetime
    took: str
    took_ms: int | None
    attempts: int
    why: str
    why_in_full: str
    progress: str
    held: str
    is_open: bool
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a facet. `query` is the search with it added, or removed where it is chosen."""

    value: str
    label: str
    count: int
    is_chosen: bool
    query: str


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of one column among what matches otherwise; `more` more are not shown."""

    name: str
    label: str
    values: tuple[FacetValue, ...]
    more: int = 0
    counted: int = 0
    is_exact: bool = True


def with_line_fields(runs: QuerySet[JobRun]) -> QuerySet[JobRun]:
    """With what a line needs, and no more."""
    return runs.select_related("tenant", "target").only(*LINE_FIELDS)


def newer_than(pk: int, user: User) -> QuerySet[JobRun]:
    """The runs that stand above one in somebody's list; all of them where it does not exist."""
    visible = JobRun.objects.visible_to(user)
    edge = visible.filter(pk=pk).values_list(*KEY).first()
    runs = visible.only(*KEY)
    if edge is None:
        return runs
    created_at, last = edge
    above = Q(created_at__gt=created_at) | Q(created_at=created_at, id__gt=last)
    return runs.filter(above, created_at__gte=created_at)


def run_lines(runs: Iterable[JobRun], *, now: datetime) -> list[RunLine]:
    """The lines of some runs (see with_line_fields), without further queries."""
    return [_line(run, now) for run in runs]


def _line(run: JobRun, now: datetime) -> RunLine:
    failure = _failure(run)
    return RunLine(
        id=run.pk,
        status=run.status,
        type=run.type,
        name=run.external_id,
        tenant=run.tenant.slug if run.tenant else "",
        engine=run.engine,
        engine_label=ENGINE_LABELS[Engine(run.engine)],
        target=run.target.slug,
        created_at=run.created_at,
        took=_took(run, now),
        took_ms=run.duration_ms,
        attempts=run.attempts,
        why=f"{failure[:_WORDS].rstrip()}…" if len(failure) > _WORDS else failure,
        why_in_full=f"{_before(run)}{run.failure}" if run.failure else "",
        progress=_progress(run.progress) if run.is_open else "",
        held=describe_hold(run.hold, run.status, now),
        is_open=run.is_open,
        is_overdue=bool(
            run.cleanup_at and not run.cleaned_at and run.cleanup_at < now and not run.is_open
        ),
    )


def _failure(run: JobRun) -> str:
    return f"{_before(run)}{' '.join(run.failure.split())}" if run.failure else ""


def _before(run: JobRun) -> str:
    """What stands before the failure of a run that goes on: it is not how the run ended."""
    if not run.is_open:
        return ""
    if run.status == Status.PAUSED:
        return "Paused after: "
    if run.failure_kind in REFUSALS:
        return "Denied: "
    # A pod that failed need not be followed by another one, while others of the run go on.
    pods = adapter_for(run.engine).features.steps_are_pods
    return "Last failure: " if pods else "Retrying: "


def _took(run: JobRun, now: datetime) -> str:
    if run.duration_ms is not None:
        return format_duration(run.duration_ms / 1000)
    return (
        format_duration(max((now - run.created_at).total_seconds() // 1, 0)) if run.is_open else ""
    )


def _progress(progress: Mapping[str, Any] | None) -> str:
    if not progress or progress.get("done") is None:
        return ""
    total = progress.get("total")
    return f"{progress['done']:,} of {total:,}" if total else f"{progress['done']:,} done"


def facets(query: Query, *, now: datetime, tenants: Sequence[int] | None = None) -> list[Facet]:
    """How the newest COUNTED runs that match spread over the columns. Each facet ignores the
    filter of its own column, so that it shows what else there is."""
    shared = _newest(query, now, tenants)
    counted_columns = []
    for name, column in _COLUMNS.items():
        own = query.without(name)
        rows, is_exact = shared if own == query else _newest(own, now, tenants)
        counts = Counter(row[list(_COLUMNS).index(name)] for row in rows)
        counted_columns.append((name, column, counts, len(rows), is_exact))
    names = _names(counted_columns)
    return [
        _facet(query, name, counts, counted, names.get(column, {}), is_exact=is_exact)
        for name, column, counts, counted, is_exact in counted_columns
    ]


def _newest(
    query: Query, now: datetime, tenants: Sequence[int] | None
) -> tuple[list[tuple[Any, ...]], bool]:
    runs: QuerySet[Any] = JobRun.objects.values_list(*_COLUMNS.values())
    order = [f"-{name}" for name in KEY]
    search = search_for(query, now=now, tenants=tenants)
    rows, is_whole = search.sample(runs, order, COUNTED + 1, patient=False)
    return rows[:COUNTED], is_whole and len(rows) <= COUNTED


def _names(
    columns: Iterable[tuple[str, str, Counter[Any], int, bool]],
) -> dict[str, dict[Any, str]]:
    """The slugs of the tenants and targets that were counted, in two queries."""
    ids = {column: [pk for pk in counts if pk] for _, column, counts, _, _ in columns}
    return {
        "tenant_id": dict(Tenant.objects.filter(pk__in=ids["tenant_id"]).values_list("pk", "slug")),
        "target_id": dict(Target.objects.filter(pk__in=ids["target_id"]).values_list("pk", "slug")),
    }


def _facet(
    query: Query,
    name: str,
    counts: Counter[Any],
    counted: int,
    names: Mapping[Any, str],
    *,
    is_exact: bool,
) -> Facet:
    chosen = {*map(str, query.statuses)} if name == "status" else {*query.values(name)}
    by_value = Counter({_value(name, key, names): count for key, count in counts.items()})
    if name == "failure":
        del by_value[""]  # those that have none
    for value in chosen:
        by_value.setdefault(value, 0)
    order = sorted(by_value, key=lambda value: (value not in chosen, -by_value[value], value))
    shown = order[: max(SHOWN, len(chosen))]
    return Facet(
        name=name,
        label=name.capitalize(),
        values=tuple(
            FacetValue(
                value=value,
                label=_label(name, value),
                count=by_value[value],
                is_chosen=value in chosen,
                query=_toggled(query, name, value, is_chosen=value in chosen),
            )
            for value in shown
        ),
        more=len(order) - len(shown),
        counted=counted,
        is_exact=is_exact,
    )


def _value(name: str, key: Any, names: Mapping[Any, str]) -> str:
    if name == "tenant":
        return NOBODY if key is None else names.get(key, "")
    return names.get(key, "") if name == "target" else str(key)


def _label(name: str, value: str) -> str:
    if name == "status":
        return STATUS_LABELS[Status(value)]
    if name == "engine":
        return ENGINE_LABELS[Engine(value)]
    if name == "failure":
        return failure_label(value)
    return "unattributed" if name == "tenant" and value == NOBODY else value


def _toggled(query: Query, name: str, value: str, *, is_chosen: bool) -> str:
    if not is_chosen:
        return str(query.plus(name, value))
    if name == "status" and value not in query.values(name):
        # A group was asked for: what is left of it, spelt out.
        rest = query.without(name)
        for status in sorted(query.statuses - {Status(value)}):
            rest = rest.plus(name, status)
        return str(rest)
    return str(query.without(name, value))
