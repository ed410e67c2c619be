"""One verb done to many runs: counted first, asked with a reason, carried out at a chosen rate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from console.audit import services as audit
from console.audit.services import Actor, require_reason
from console.celery import enqueue
from console.chunks import chunks
from console.errors import DomainError
from console.pages.plural import plural
from console.request import current_request_id
from observability.actions.models import Action, ActionItem, RunSelection
from observability.actions.services.previews import (
    BatchCommand,
    BatchPreview,
    preview_batch,
    target_of,
)
from observability.actions.services.records import ledger_entry
from observability.jobs.models import JobRun
from tenants.models import Target

WORK: Final = "observability.actions.tasks.work"
_CHUNK: Final = 500


def ask_batch(*, command: BatchCommand, actor: Actor) -> Action:
    """Counts again, writes the action with its ledger entry, and hands it to the workers.

    Raises DomainError as `preview_batch` does, `reason_required`, `confirm_required`,
    `nothing_found`, and `count_changed` (409) when it is not the number that was seen.
    """
    now = timezone.now()
    reason = require_reason(command.reason)
    preview = preview_batch(command, now=now)
    _require_meant(command, preview)
    target = target_of(command.target) if command.target else _common_target(preview.runs)
    action = Action(
        selection=RunSelection.QUERY if command.target else RunSelection.RUNS,
        label=plural(preview.fitting, "run"),
        target=target,
        engine=command.engine,
        verb=preview.verb.name,
        arguments=preview.arguments,
        reason=reason,
        actor_kind=actor.kind,
        actor=actor.name,
        user=actor.user,
        request_id=current_request_id.get(),
        created_at=now,
        query=command.query,
        preview=preview.plain(),
        rate=command.rate,
        total=preview.fitting,
    )
    with transaction.atomic(durable=True):
        action.save(force_insert=True)
        if action.selection == RunSelection.QUERY:
            _write_executions(action, preview.executions)
        else:
            _write_items(action, preview.runs)
        ledger_entry(action, step="asked", message="Asked, not tried yet.", now=now).save(
            force_insert=True
        )
    enqueue(WORK, action.pk)
    return action


def stop(*, action: Action, actor: Actor, reason: str, now: datetime) -> Action:
    """Has a batch stop: what is done stays done. Raises DomainError("not_running", 409)."""
    why = require_reason(reason)
    with transaction.atomic():
        running = Action.objects.open().filter(pk=action.pk, stop_asked_at=None)
        if not action.is_batch or not running.update(stop_asked_at=now, stop_asked_by=actor.name):
            raise DomainError(
                "not_running", "It does not run any more, or stops already.", status=409
            )
        audit.record(
            actor=actor,
            action=f"job.{action.verb}.stop",
            object_type="action",
            object_id=action.pk,
            object_label=action.label,
            reason=why,
            at=now,
        )
    enqueue(WORK, action.pk)
    action.refresh_from_db()
    return action


def _require_meant(command: BatchCommand, preview: BatchPreview) -> None:
    if not preview.fitting:
        raise DomainError(
            "nothing_found", "Nothing that it finds can be done now: nothing was written."
        )
    if command.expected is not None and command.expected != preview.fitting:
        raise DomainError(
            "count_changed",
            f"It was about {command.expected} runs when you looked and is about {preview.fitting} "
            "now. Nothing was done; reload the page and decide again.",
            status=409,
        )
    if preview.verb.destructive and command.confirm.strip() != str(preview.fitting):
        raise DomainError(
            "confirm_required",
            f"confirm: {command.confirm[:40]!r} is not the number of runs; type {preview.fitting} "
            f"to say that you mean it: {preview.verb.label.lower()} cannot be taken back.",
            field="confirm",
        )


def _common_target(runs: Sequence[int]) -> Target | None:
    """The target of all of them; None when there are several."""
    sample = JobRun.objects.filter(pk__in=runs[:_CHUNK]).order_by()
    ids = list(sample.values_list("target", flat=True).distinct()[:2])
    return Target.objects.get(pk=ids[0]) if len(ids) == 1 and len(runs) <= _CHUNK else None


def _write_items(action: Action, runs: Sequence[int]) -> None:
    runs_with_tenant = JobRun.objects.select_related("tenant").only("external_id", "tenant__slug")
    for chunk in chunks(runs, _CHUNK):
        rows = runs_with_tenant.in_bulk(chunk)
        ActionItem.objects.bulk_create(
            ActionItem(
                action=action,
                run=run,
                label=run.external_id,
                tenant=run.tenant.slug if run.tenant else "",
            )
            for pk in chunk
            if (run := rows.get(pk)) is not None
        )


def _write_executions(action: Action, executions: Sequence[tuple[str, str, str]]) -> None:
    """What the engine's own query found, with our row of it where there is one."""
    for chunk in chunks(executions, _CHUNK):
        rows = JobRun.objects.filter(
            target=action.target, external_id__in={name for name, _, _ in chunk}
        ).values_list("external_id", "run_id", "pk")
        known = {(name, run_id): pk for name, run_id, pk in rows}
        ActionItem.objects.bulk_create(
            ActionItem(
                action=action,
                run_id=known.get((name, run_id)),
                label=name[:1000],
                execution=run_id,
                tenant=tenant[:63],
            )
            for name, run_id, tenant in chunk
        )
