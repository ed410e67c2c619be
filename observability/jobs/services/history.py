"""Histories that are carried away: they are not masked, so the ledger says who took them."""

from __future__ import annotations

from console.audit.services import Actor, record
from observability.jobs.models import JobRun
from observability.jobs.services.download import Download, download_of


def take_away(*, run: JobRun, actor: Actor) -> Download:
    """The run's history as a file, once the ledger has who took it. Raises as `download_of` does.

    Expects target and tenant to be loaded.
    """
    found = download_of(run)
    record(
        actor=actor,
        action="job.history.download",
        object_type="job",
        object_id=run.pk,
        object_label=run.external_id,
        tenant=run.tenant.slug if run.tenant else "",
        after={"engine": run.engine, "run_id": run.run_id, "bytes": len(found.data)},
    )
    return found
