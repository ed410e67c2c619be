"""Whose a run is that says nothing of it: its parent's, where the engine itself names the parent.

Few do, as Temporal's server, which knows which workflow started which. Both live on one target, so
that nothing here reaches another engine's runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from console.chunks import chunks
from observability.engines.contracts import RunSnapshot
from observability.ingest.context import CHUNK, IngestContext
from observability.ingest.rules.merge import LONGEST_KEY
from observability.jobs.models import Attribution, JobRun
from observability.jobs.rules.bounding import bounded_id

_DEEPEST: Final = 10
"""Generations of a family whose oldest one is heard of last."""


def key_of(parent: str) -> str:
    """A parent's run key as rows have it, whatever characters it was given with."""
    return bounded_id(parent, LONGEST_KEY)


def tenants_of_parents(
    context: IngestContext, runs: Iterable[RunSnapshot]
) -> Mapping[str, int | None]:
    """The tenants of runs that have children among `runs` without one, by run key."""
    if not context.features.children_inherit_tenant:
        return {}
    wanted = sorted(
        {key_of(snapshot.parent) for snapshot in runs if snapshot.parent and not snapshot.tenant}
    )
    tenants: dict[str, int | None] = {}
    for chunk in chunks(wanted, CHUNK):
        rows = JobRun.objects.filter(
            target_id=context.target.id,
            key__in=chunk,
            tenant_id__isnull=False,
        )
        tenants.update({row.key: row.tenant_id for row in rows.only("key", "tenant_id")})
    return tenants


def pass_on_tenants(context: IngestContext, runs: Sequence[JobRun], *, now: datetime) -> None:
    """Gives the tenant of runs to children that were heard of before their parent."""
    if not context.features.children_inherit_tenant:
        return
    owners: dict[str, int | None] = {
        run.key: run.tenant_id for run in runs if run.tenant_id is not None
    }
    for _ in range(_DEEPEST):
        owners = _pass_on_once(context, owners, now)
        if not owners:
            return


def _pass_on_once(
    context: IngestContext, owners: Mapping[str, int | None], now: datetime
) -> dict[str, int | None]:
    """Attributes the children of one generation; their own keys with their tenant."""
    keys, children = sorted(owners), list[JobRun]()
    for chunk in chunks(keys, CHUNK):
        children += JobRun.objects.filter(
            target_id=context.target.id,
            parent_key__in=chunk,
            tenant_id__isnull=True,
        ).only("pk", "key", "parent_key")
    of_tenant: dict[int | None, list[int]] = defaultdict(list)
    for child in children:
        of_tenant[owners[child.parent_key]].append(child.pk)
    for tenant_id, ids in of_tenant.items():
        for some in chunks(ids, CHUNK):
            JobRun.objects.filter(pk__in=some).update(
                tenant_id=tenant_id, attribution=Attribution.DECLARED, updated_at=now
            )
    return {child.key: owners[child.parent_key] for child in children}
