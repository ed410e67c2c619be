"""Runs that were nobody's when they were read, and are somebody's by what is known now.

Ingest never does this to runs that ended: whoever is given a place does not by that see what ran
there before. Here a person says that it may be so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from console.audit import services as audit
from console.audit.services import Actor
from observability.engines.contracts import TENANT_ATTRIBUTE, TenantSource
from observability.engines.registry import features_for
from observability.jobs.models import JobRun
from observability.jobs.rules.attribution import Attributed, Owners
from tenants.models import Placement, Target, Tenant

_CHUNK: Final = 1000
_DEEPEST: Final = 10
"""Generations of a family."""


def count_unattributed(target: Target) -> dict[str, int]:
    """How many runs of nobody each tenant would get by its places or its name, by slug; children
    that say nothing of their tenant come on top."""
    counts: Counter[int] = Counter()
    for by_owner in _by_place(target, _owners(target)):
        for owner, ids in by_owner.items():
            if owner.tenant_id is not None:
                counts[owner.tenant_id] += len(ids)
    return _by_slug(counts)


def attribute_past_runs(
    *, target: Target, actor: Actor, reason: str, now: datetime
) -> dict[str, int]:
    """Gives a target's unattributed runs to the tenants that are placed there now, or that they
    name; where children inherit, also those of their children that say nothing. How many each one
    got, by slug.

    The ledger says so first, per tenant. Stopped in the middle, it may be begun again: what is
    somebody's stays so. Raises DomainError without a reason.
    """
    reason = audit.require_reason(reason)
    expected = count_unattributed(target)
    with transaction.atomic():
        for slug, runs in expected.items():
            audit.record(
                actor=actor,
                action="jobs.attribute",
                object_type="target",
                object_id=target.pk,
                object_label=target.slug,
                tenant=slug,
                after={"runs_of_nobody": runs},
                reason=reason,
            )
    counts: Counter[int] = Counter()
    for by_owner in _by_place(target, _owners(target)):
        counts.update(_give(by_owner, now))
    features = features_for(target.kind)
    if features is not None and features.children_inherit_tenant:
        for _ in range(_DEEPEST):
            inherited = Counter[int]()
            for by_owner in _by_parent(target):
                inherited.update(_give(by_owner, now))
            counts.update(inherited)
            if not inherited:
                break
    return _by_slug(counts)


def _owners(target: Target) -> Owners:
    placements = Placement.objects.filter(target=target).select_related("tenant", "target")
    refs = [placement.ref() for placement in placements]
    tenants = dict(Tenant.objects.values_list("slug", "pk"))
    return Owners.of((ref for ref in refs if not ref.leaving), tenants)


def _unattributed(target: Target) -> Iterator[Sequence[JobRun]]:
    columns = ("location", "queue", "fairness_key", "attributes", "parent_key")
    runs = JobRun.objects.filter(target=target, tenant__isnull=True).order_by("pk").only(*columns)
    last = 0
    while chunk := list(runs.filter(pk__gt=last)[:_CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _by_place(target: Target, owners: Owners) -> Iterator[Mapping[Attributed, list[int]]]:
    for chunk in _unattributed(target):
        by_owner: dict[Attributed, list[int]] = defaultdict(list)
        for run in chunk:
            named = run.attributes.get(TENANT_ATTRIBUTE)
            owner = owners.attribute(
                owners.declared(named) if isinstance(named, str) else None,
                location=run.location,
                queue=run.queue,
                fairness_key=run.fairness_key,
            )
            by_owner[owner].append(run.pk)
        yield by_owner


def _by_parent(target: Target) -> Iterator[Mapping[Attributed, list[int]]]:
    for chunk in _unattributed(target):
        children = [run for run in chunk if run.parent_key]
        parents = JobRun.objects.filter(
            target=target,
            tenant__isnull=False,
            key__in={child.parent_key for child in children},
        )
        owners = dict(parents.values_list("key", "tenant_id"))
        by_owner: dict[Attributed, list[int]] = defaultdict(list)
        for child in children:
            tenant_id = owners.get(child.parent_key)
            if tenant_id is not None:
                by_owner[Attributed(tenant_id, TenantSource.DECLARED)].append(child.pk)
        yield by_owner


def _give(by_owner: Mapping[Attributed, Sequence[int]], now: datetime) -> Counter[int]:
    counts: Counter[int] = Counter()
    for owner, ids in by_owner.items():
        if owner.tenant_id is not None:
            # Whatever ingest found out meanwhile counts more.
            counts[owner.tenant_id] += JobRun.objects.filter(
                pk__in=ids, tenant__isnull=True
            ).update(tenant_id=owner.tenant_id, attribution=owner.source.value, updated_at=now)
    return +counts


def _by_slug(counts: Mapping[int, int]) -> dict[str, int]:
    slugs = Tenant.objects.filter(pk__in=counts).order_by("slug").values_list("pk", "slug")
    return {slug: counts[pk] for pk, slug in slugs}
