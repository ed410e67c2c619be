"""What verbs need to know of a run, gathered from its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.db.models import Max

from observability.engines.contracts import (
    Engine,
    EventKind,
    Status,
    TenantSource,
)
from observability.engines.features import EngineFeatures
from observability.engines.registry import adapter_for
from observability.engines.verbs import Availability, Recorded, RunFacts
from observability.jobs.models import JobEvent, JobRun
from tenants.contracts import TargetRef
from tenants.models import Target

_FIRST: Final = 20
"""Among so many of its first events a task's arguments stand, if anywhere."""
_MOST_STEPS: Final = 200
_ENDS: Final = (EventKind.STEP_COMPLETED, EventKind.CHILD_CLOSED)


def facts_of(run: JobRun) -> RunFacts:
    """The run as it stands in its row, with what its engine's verbs ask for."""
    features = adapter_for(run.engine).features
    return RunFacts(
        id=run.pk,
        engine=Engine(run.engine),
        key=run.key,
        external_id=run.external_id,
        run_id=run.run_id,
        location=run.location,
        type=run.type,
        status=Status(run.status),
        queue=run.queue,
        tenant=run.tenant.slug if run.tenant and run.attribution == TenantSource.DECLARED else "",
        recorded=_recorded(run) if features.repeats_calls else None,
        steps=_open_steps(run) if features.offers_open_steps and run.is_open else (),
        overwritten=_is_overwritten(run, features),
    )


def ref_of(target: Target) -> TargetRef:
    """The target as adapters get it."""
    return target.ref(timeout=settings.TARGET_TIMEOUT_SECONDS)


def offers(run: JobRun, facts: RunFacts | None = None) -> list[Availability]:
    """Every verb that makes sense for the run, with the reason where it is not possible now."""
    facts = facts or facts_of(run)
    offered: Sequence[Availability] = adapter_for(run.engine).controls.verbs(
        run=facts, target=ref_of(run.target)
    )
    if run.target.enabled:
        return list(offered)
    reason = f"The target {run.target.slug} is disabled: nothing is written to it."
    return [Availability(offer.verb, reason, offer.hidden) for offer in offered]


def _is_overwritten(run: JobRun, features: EngineFeatures) -> bool:
    """Whether the engine's object was retried in place since: it is the next run's by now."""
    if features.retried_run_id is None:
        return False
    others = JobRun.objects.filter(target=run.target_id, external_id=run.external_id)
    return others.filter(run_id=features.retried_run_id(run.run_id)).exists()


def _recorded(run: JobRun) -> Recorded:
    """How the task was called, from whichever of its first events tells."""
    details = JobEvent.objects.filter(run=run).order_by("seq").values_list("detail", flat=True)
    for detail in details[:_FIRST]:
        if isinstance(detail, dict) and "args" in detail and "kwargs" in detail:
            cut = "…" if detail.get("truncated") else ""
            return Recorded(run.type, f"{detail['args']}{cut}", f"{detail['kwargs']}{cut}")
    return Recorded(run.type)


def _open_steps(run: JobRun) -> tuple[tuple[str, str], ...]:
    """Id and name of the steps that were scheduled and have not ended, as far as we know."""
    named = JobEvent.objects.filter(run=run).exclude(step="")
    ended = named.filter(kind__in=_ENDS).values("step")
    steps = (
        named.filter(kind=EventKind.SCHEDULED)
        .exclude(step__in=ended)
        .values("step")
        .annotate(name=Max("step_name"), last=Max("seq"))
        .order_by("-last")[:_MOST_STEPS]
    )
    return tuple((row["step"], row["name"]) for row in steps)
