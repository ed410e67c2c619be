"""What reading one target needs: the target, whose is what there, and the rows that we have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Max, Min, QuerySet, Sum
from django.db.models.fields.json import KT

from console.chunks import chunks
from observability.engines.contracts import SITUATION, KnownRun, RunRef
from observability.engines.features import EngineFeatures
from observability.engines.ports import EngineSource
from observability.engines.registry import adapter_for
from observability.ingest.claims import hold
from observability.ingest.rules.masking import Masker
from observability.jobs.models import JobRun
from observability.jobs.rules.attribution import Owners
from observability.jobs.rules.bounding import stored_name
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
    """Everything that reading the target needs: two small queries while nobody is placed anew."""
    features = adapter_for(target.kind).features
    ref = target.ref(timeout=settings.TARGET_TIMEOUT_SECONDS)
    placements, owners = _placed(target, place_first=features.namespaced)
    return IngestContext(
        target=ref,
        source=source,
        features=features,
        token=token,
        placements=placements,
        owners=owners,
        masker=masker(tuple(settings.MASK_PATTERNS)),
        expiry=Expiry(target),
        going=going,
    )


_Placed = tuple[tuple[PlacementRef, ...], Owners]
_known: dict[int, tuple[tuple[Any, ...], _Placed]] = {}
"""By target: what its placements and the tenants were like, and what was made of them."""


def _placed(target: Target, *, place_first: bool) -> _Placed:
    """Who is where on the target. Thousands of rows that change now and then and are wanted every
    few seconds: read again when there are others, or one of another generation."""
    rows = Placement.objects.filter(target=target)
    key = (
        *(target.slug, target.kind, target.generation, place_first),
        *rows.aggregate(
            **_STAMP, first=Min("location"), last=Max("location"), keys=Max("fairness_key")
        ).values(),
        *Tenant.objects.aggregate(**_STAMP, last=Max("slug")).values(),
    )
    known = _known.get(target.pk)
    if known is not None and known[0] == key:
        return known[1]
    placements = tuple(row.ref() for row in rows.select_related("tenant", "target"))
    tenants = dict(Tenant.objects.values_list("slug", "pk"))
    placed = placements, Owners.of(placements, tenants, place_first=place_first)
    _known[target.pk] = key, placed
    return placed


# Whatever is intended, and who may have it, has a generation that grows with each change.
_STAMP: Final = {
    "number": Count("pk"),
    "newest": Max("pk"),
    "made": Max("created_at"),
    "generations": Sum("generation"),
}


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
        return self._column("revision", ids)

    def types(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """The stored type of runs, by external id and run id."""
        return self._column("type", ids)

    def _column(self, column: str, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        stored = {pair: stored_name(*pair) for pair in ids}
        values: dict[tuple[str, str], str] = {}
        for chunk in chunks(sorted({name for name, _ in stored.values()}), CHUNK):
            rows = self._runs.filter(external_id__in=chunk)
            for external_id, run_id, value in rows.values_list("external_id", "run_id", column):
                values[external_id, run_id] = value
        return {pair: values[row] for pair, row in stored.items() if row in values}

    def details(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KnownRun]:
        """What the rows of runs say, by external id and run id."""
        wanted, details = set(ids), {}
        names = sorted({external_id for external_id, _ in wanted})
        for chunk in chunks(names, CHUNK):
            for row in self._runs.filter(external_id__in=chunk).only(*_DETAILS):
                if (row.external_id, row.run_id) in wanted:
                    details[row.external_id, row.run_id] = KnownRun(
                        row.attempts, row.failure, row.failure_kind, row.attributes
                    )
        return details


_DETAILS: Final = (
    "external_id",
    "run_id",
    "attempts",
    "failure",
    "failure_kind",
    "attributes",
)
_REF: Final = ("external_id", "run_id", "location", "status", "revision", "created_at", "worker")


def _refs(runs: QuerySet[JobRun]) -> Iterator[RunRef]:
    """A thousand at a time; pages may be stored meanwhile."""
    last = 0
    runs = runs.annotate(situation=KT(f"attributes__{SITUATION}"))
    while rows := list(runs.filter(pk__gt=last).order_by("pk").only(*_REF)[:1000]):
        last = rows[-1].pk
        for row in rows:
            yield row.ref(row.situation or "")
