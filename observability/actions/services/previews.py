"""The dry count of a batch: what it would be about, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from console.errors import DomainError
from observability.actions.contracts import FASTEST, MOST_RUNS
from observability.actions.rules.arguments import ARGUMENTS, read_arguments
from observability.actions.selectors.facts import ref_of
from observability.actions.services.actions import verb_of
from observability.engines.contracts import OPEN, Status
from observability.engines.ports import Queries
from observability.engines.registry import adapter_for
from observability.engines.verbs import Verb, why_not
from observability.jobs.models import JobRun
from observability.jobs.rules.query import parse
from observability.jobs.selectors.search import search_for
from tenants.models import Target

SAMPLE: Final = 10
_ORDER: Final = ("-created_at", "-id")


@dataclass(frozen=True, slots=True)
class BatchCommand:
    """What somebody asks to be done to many runs: those that `query` finds here (`engine` is one of
    its filters), or, with `target`, those that the engine's own query finds there.

    `expected` is the count that they saw (None: whatever it is now); `confirm` is that number typed
    for what is destructive.
    """

    engine: str
    verb: str
    query: str = ""
    ids: tuple[int, ...] = ()
    target: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    rate: int = 5
    reason: str = ""
    expected: int | None = None
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class BatchPreview:
    """What a batch would be about: `total` runs found, of which `fitting` can be done now.

    `tenants` counts them by slug ("" is nobody's); `sample` is (label, type, status, run's id here
    or None); `why` counts the reasons of those left out. `runs` are ids here, `executions` (id, run
    id, tenant) where the engine's own query found them.
    """

    verb: Verb
    total: int
    fitting: int
    tenants: Mapping[str, int]
    sample: tuple[tuple[str, str, str, int | None], ...]
    why: Mapping[str, int]
    seconds: float
    arguments: Mapping[str, Any]
    runs: tuple[int, ...] = ()
    executions: tuple[tuple[str, str, str], ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON, for the action's row and for REST."""
        return {
            "total": self.total,
            "fitting": self.fitting,
            "tenants": dict(self.tenants),
            "sample": [list(row) for row in self.sample],
            "left_out": dict(self.why),
            "seconds": self.seconds,
        }


def preview_batch(command: BatchCommand, *, now: datetime) -> BatchPreview:
    """The dry count: nothing is written anywhere. Raises DomainError naming the field at fault, and
    ExternalError where the engine cannot be asked."""
    verb = _verb(command)
    arguments = read_arguments(verb, command.arguments)
    if arguments.get("point") == "event":
        raise DomainError(
            "invalid",
            "point: 'event' is for one run; use first or last.",
            field=f"{ARGUMENTS}.point",
        )
    if not 1 <= command.rate <= FASTEST:
        raise DomainError(
            "invalid",
            f"rate: {command.rate} is not accepted; use 1 to {FASTEST} operations a second.",
            field="rate",
        )
    if command.ids and (command.query.strip() or command.target):
        raise DomainError(
            "invalid",
            f"ids: {len(command.ids)} runs are named, and a query or target is sent too; send one "
            "of both.",
            field="ids",
        )
    if command.target:
        return _preview_query(command, verb, arguments)
    return _preview_runs(command, verb, arguments, now)


def _verb(command: BatchCommand) -> Verb:
    verb = verb_of(command.engine, command.verb)
    if not verb.in_batch or (command.target and not verb.by_query):
        raise DomainError(
            "invalid", f"verb: {verb.label!r} is for one run at a time.", field="verb"
        )
    return verb


def _preview_query(command: BatchCommand, verb: Verb, arguments: dict[str, Any]) -> BatchPreview:
    target = target_of(command.target)
    controls = adapter_for(command.engine).controls
    if not isinstance(controls, Queries) or target.kind != command.engine:
        raise DomainError(
            "invalid",
            f"target: {target.slug!r} cannot be asked by a query of its own; leave it out.",
            field="target",
        )
    if not target.enabled:
        raise DomainError("disabled", f"target: {target.slug!r} is disabled.", field="target")
    if not command.query.strip():
        raise DomainError(
            "invalid",
            "query: it is empty, which would mean every run; write a visibility query such as "
            "WorkflowType='InvoiceFlow' AND ExecutionStatus='Running'.",
            field="query",
        )
    runs = controls.find(target=ref_of(target), query=command.query, most=MOST_RUNS + 1)
    _require_few(len(runs))
    wants_open = verb.statuses <= OPEN
    fitting = [run for run in runs if run.is_open or not wants_open]
    reasons = Counter(f"The run has ended: {run.status}." for run in runs if run not in fitting)
    return BatchPreview(
        verb=verb,
        total=len(runs),
        fitting=len(fitting),
        tenants=dict(Counter(run.tenant for run in fitting).most_common()),
        sample=tuple((run.external_id, run.type, run.status, None) for run in fitting[:SAMPLE]),
        why=dict(reasons.most_common()),
        seconds=round(len(fitting) / command.rate, 1),
        arguments=arguments,
        executions=tuple((run.external_id, run.run_id, run.tenant) for run in fitting),
    )


def _preview_runs(
    command: BatchCommand, verb: Verb, arguments: dict[str, Any], now: datetime
) -> BatchPreview:
    runs = _selected_runs(command, now)
    _require_few(len(runs))
    fitting: list[JobRun] = []
    reasons: Counter[str] = Counter()
    for run in runs:
        reason = _why_left_out(run, verb, command.engine)
        if reason:
            reasons[reason] += 1
        else:
            fitting.append(run)
    tenants = Counter(run.tenant.slug if run.tenant else "" for run in fitting)
    return BatchPreview(
        verb=verb,
        total=len(runs),
        fitting=len(fitting),
        tenants=dict(tenants.most_common()),
        sample=tuple(
            (run.external_id, run.type, run.get_status_display(), run.pk)
            for run in fitting[:SAMPLE]
        ),
        why=dict(reasons.most_common()),
        seconds=round(len(fitting) / command.rate, 1),
        arguments=arguments,
        runs=tuple(run.pk for run in fitting),
    )


def _require_few(count: int) -> None:
    if count > MOST_RUNS:
        raise DomainError(
            "too_many",
            f"query: it finds more than {MOST_RUNS} runs, the most that one batch takes; narrow "
            "it down, by type or by time.",
            field="query",
        )


def _selected_runs(command: BatchCommand, now: datetime) -> Sequence[JobRun]:
    base = JobRun.objects.select_related("tenant", "target").defer("search", "attributes")
    if command.ids:
        return list(base.filter(pk__in=command.ids).order_by(*_ORDER)[: MOST_RUNS + 1])
    query = parse(command.query)
    if not query:
        raise DomainError(
            "invalid",
            "query: it is empty, which would mean every run; write what to look for, such as "
            "tenant:acme status:failed since:2h.",
            field="query",
        )
    if command.engine not in query.values("engine"):
        query = query.without("engine").plus("engine", command.engine)
    return search_for(query, now=now).take(base, _ORDER, MOST_RUNS + 1)


def _why_left_out(run: JobRun, verb: Verb, engine: str) -> str:
    """Why a run is not part of the batch; empty when it is."""
    if run.engine != engine:
        return f"It runs on {run.get_engine_display()}."
    if not run.target.enabled:
        return f"The target {run.target.slug} is disabled."
    if verb.needs and not run.target.options.get(verb.needs):
        return f"The target {run.target.slug} has no {verb.needs}."
    if verb.name == "retry" and adapter_for(engine).features.repeats_calls:
        return ""  # what its events recorded is looked at when it is its turn
    return why_not(verb, Status(run.status))


def target_of(slug: str) -> Target:
    """The target of that name. Raises DomainError."""
    target = Target.objects.filter(slug=slug).first()
    if target is None:
        raise DomainError("invalid", f"target: there is no {slug[:63]!r}.", field="target")
    return target
