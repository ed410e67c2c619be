"""What reading one target needs: the target, whose is what there, and the rows that we have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from console.chunks import chunks
from observability.engines.contracts import RunRef
from observability.engines.features import EngineFeatures
from observability.engines.ports import EngineSource
from observability.engines.registry import adapter_for
from observability.ingest.claims import hold
from observability.ingest.rules.masking import Masker
from observability.jobs.models import JobRun
from observability.jobs.rules.attribution import Owners
from observability.jobs.services.retention import Expiry
from tenants.contracts import PlacementRef, TargetRef
from tenants.models import Placement, Target, Tenant

CHUNK = 2000
"""Names in one IN list."""


@dataclass(frozen=True, slots=True)
class IngestContext:
    """One target while a replica holds its claim. `going` turns false when it has to stop."""

    target: TargetRef
    source: EngineSource
    features: EngineFeatures
    token: str
    placements: tuple[PlacementRef, ...]
    owners: Owners
    masker: Masker
    expiry: Expiry
    going: Callable[[], bool]

    def hold(self) -> None:
        """First in each transaction, see ingest.claims."""
        hold(self.target.id, self.token)


def context_for(
    *, target: Target, source: EngineSource, token: str, going: Callable[[], bool]
) -> IngestContext:
    """Everything that reading the target needs: three queries."""
    features = adapter_for(target.kind).features
    ref = target.ref(timeout=settings.TARGET_TIMEOUT_SECONDS)
    placements = tuple(
        placement.ref()
        for placement in Placement.objects.filter(target=target).select_related("tenant", "target")
    )
    tenants = dict(Tenant.objects.values_list("slug", "pk"))
    return IngestContext(
        target=ref,
        source=source,
        features=features,
        token=token,
        placements=placements,
        owners=Owners.of(placements, tenants, place_first=features.namespaced),
        masker=masker(tuple(settings.MASK_PATTERNS)),
        expiry=Expiry(target),
        going=going,
    )


@lru_cache(maxsize=4)
def masker(patterns: tuple[str, ...]) -> Masker:
    """One that is made once for a set of patterns."""
    return Masker(patterns)


class StoredRuns:
    """ports.KnownRuns over the rows of one target."""

    def __init__(self, target_id: int) -> None:
        self._runs = JobRun.objects.filter(target_id=target_id)

    def open_runs(self) -> Iterator[RunRef]:
        """Every run that has not ended as far as we know."""
        return _refs(self._runs.unfinished())

    def due_runs(self, now: datetime) -> Iterator[RunRef]:
        """Every ended run that should have removed itself and was not seen to be gone."""
        return _refs(
            self._runs.filter(
                cleanup_at__isnull=False, cleaned_at__isnull=True, cleanup_at__lt=now
            ).filter(closed_at__isnull=False)
        )

    def revisions(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """The stored revision of runs, by external id and run id."""
        wanted, revisions = set(ids), {}
        names = sorted({external_id for external_id, _ in wanted})
        for chunk in chunks(names, CHUNK):
            rows = self._runs.filter(external_id__in=chunk)
            for external_id, run_id, revision in rows.values_list(
                "external_id", "run_id", "revision"
            ):
                if (external_id, run_id) in wanted:
                    revisions[external_id, run_id] = revision
        return revisions


_REF: Final = ("external_id", "run_id", "location", "status", "revision", "created_at")


def _refs(runs: QuerySet[JobRun]) -> Iterator[RunRef]:
    """A thousand at a time; pages may be stored meanwhile."""
    last = 0
    while rows := list(runs.filter(pk__gt=last).order_by("pk").only(*_REF)[:1000]):
        last = rows[-1].pk
        for row in rows:
            yield row.ref()
