"""Propose, preview, apply: every change of what tenants may use goes through here.

A proposal writes no intent. A preview looks at the rows and the planes and says what applying would
do; its fingerprint is a promise. Applying looks again: if anything is different it refuses and says
what, otherwise it writes intent, ledger and rollout in one transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from console import celery
from console.audit import services as audit
from console.audit.models import Outcome
from console.audit.services import Actor
from console.errors import DomainError, ExternalError
from console.request import current_request_id
from quotas.changes.contracts import Preview
from quotas.changes.kinds.change import ApplyContext, ProposedChange
from quotas.changes.kinds.payload import change_from, payload_of, shown
from quotas.changes.models import Proposal, ProposalStatus
from quotas.changes.rules.compare import since
from quotas.changes.rules.preview_document import preview_from, preview_json, settled_json
from quotas.changes.selectors.scope import ChangeScope
from quotas.changes.services.preview import base_of, compute_preview, tenant_diffs
from quotas.enforcement.models import Rollout
from quotas.enforcement.services.rollouts import create_rollout
from tenants.models import Tenant

LARGE = 200
"""Previews of more tenants than this are computed by a worker, with progress on the row."""
PREVIEW_TASK = "quotas.changes.tasks.compute_preview"


class Proposed(NamedTuple):
    """A draft and its preview; None while a worker computes it."""

    proposal: Proposal
    preview: Preview | None


class AppliedChange(NamedTuple):
    """What became of a change that was made at once."""

    proposal: Proposal
    preview: Preview
    rollout: Rollout


def propose(*, change: ProposedChange, actor: Actor) -> Proposed:
    """A draft of a change with its preview; nothing else is written.

    Where it is large a worker computes the preview (watch `progress` and `previewed_at`); without a
    broker it is computed here all the same. Raises DomainError as the change's `scope` does: then
    there is no draft.
    """
    now = timezone.now()
    scope = change.scope(now)
    if len(scope.tenants) <= LARGE:
        preview = compute_preview(change, scope, now)
        return Proposed(_draft(change, actor, **_preview_fields(preview, now)), preview)
    proposal = _draft(change, actor, progress="Waiting for a worker")
    if celery.enqueue(PREVIEW_TASK, proposal.pk):
        return Proposed(proposal, None)
    return Proposed(proposal, _compute_and_store(proposal, change, scope, now))


def change_of(proposal: Proposal) -> ProposedChange:
    """The change that a proposal holds."""
    return change_from(proposal.kind, proposal.payload)


def request_preview(*, proposal: Proposal) -> Preview | None:
    """Computes the preview of a draft again, or has a worker do it where it is large (None)."""
    now = timezone.now()
    change = change_of(proposal)
    scope = change.scope(now)
    if len(scope.tenants) > LARGE:
        _progress(proposal.pk, "Waiting for a worker")
        if celery.enqueue(PREVIEW_TASK, proposal.pk):
            proposal.refresh_from_db()
            return None
    return _compute_and_store(proposal, change, scope, now)


def update_preview(*, proposal: Proposal, now: datetime) -> Preview:
    """Computes the preview of a draft and stores it there, however large it is.

    Raises DomainError: "not_a_draft" (409), or as the change's `scope` does; `progress` then says
    why.
    """
    _require_draft(proposal)
    change = change_of(proposal)
    try:
        return _compute_and_store(proposal, change, change.scope(now), now)
    except DomainError as error:
        _progress(proposal.pk, f"Not possible: {error.message}")
        raise


def apply(
    *, proposal: Proposal, fingerprint: str, reason: str, actor: Actor, confirm: str = ""
) -> Rollout:
    """Does exactly what the preview with `fingerprint` said, or refuses and writes nothing.

    `confirm` repeats the tenant's slug where something is deleted. Raises DomainError:
    "reason_required", "confirm_required", "not_a_draft" (409: somebody applied it already),
    "stale_preview" (409, detail["since"]: what has changed, one {what, tenant, target, object,
    path} each), "plan_moved_on" (409), or as the change's `scope` does. Refusals are in the ledger
    too.
    """
    with _recorded(proposal, reason, actor):
        reason = audit.require_reason(reason)
        _require_draft(proposal)
        change = change_of(proposal)
        now = timezone.now()
        # The planes are read before the transaction: no network while the database holds locks.
        live = compute_preview(change, change.scope(now), now)
        _require_confirmed(live, change, confirm)
        if live.fingerprint != fingerprint:
            raise _stale(proposal, live)
        return _carry_out(proposal, change, live, reason, actor)


def apply_at_once(
    *, change: ProposedChange, reason: str, actor: Actor, confirm: str = ""
) -> AppliedChange:
    """Previews a change once and does what that said, as one request does that has nobody look at
    it in between. Refuses as `apply` does, also when rows change meanwhile; then the draft is
    discarded."""
    now = timezone.now()
    preview = compute_preview(change, change.scope(now), now)
    proposal = _draft(change, actor, **_preview_fields(preview, now))
    try:
        with _recorded(proposal, reason, actor):
            reason = audit.require_reason(reason)
            _require_confirmed(preview, change, confirm)
            rollout = _carry_out(proposal, change, preview, reason, actor)
    except (DomainError, ExternalError):
        discard(proposal=proposal, actor=actor)
        raise
    return AppliedChange(proposal, preview, rollout)


def keep(*, proposal: Proposal, reason: str) -> bool:
    """Remembers the reason on a draft, for whoever applies it; False when it is none any more.

    Nothing that is in force changes, so nothing goes to the ledger.
    """
    drafts = Proposal.objects.filter(pk=proposal.pk, status=ProposalStatus.DRAFT)
    return drafts.update(reason=reason.strip()[:1000]) == 1


def discard(*, proposal: Proposal, actor: Actor) -> None:
    """Gives a draft up. Raises DomainError("not_a_draft", 409)."""
    drafts = Proposal.objects.filter(pk=proposal.pk, status=ProposalStatus.DRAFT)
    with transaction.atomic():
        if not drafts.update(status=ProposalStatus.DISCARDED, preview=None, progress=""):
            _require_draft(proposal)
        audit.record(
            actor=actor,
            action="change.discard",
            object_type="proposal",
            object_id=proposal.pk,
            object_label=proposal.title,
            before={"kind": proposal.kind, "change": shown(proposal.payload)},
        )
    proposal.refresh_from_db()


def _draft(change: ProposedChange, actor: Actor, **fields: Any) -> Proposal:
    return Proposal.objects.create(
        kind=type(change).__name__,
        payload=payload_of(change),
        title=change.title()[:200],
        author=actor.user,
        author_name=actor.name,
        **fields,
    )


def _preview_fields(preview: Preview, now: datetime) -> dict[str, Any]:
    """What a proposal stores of its preview."""
    return {
        "preview": preview_json(preview),
        "fingerprint": preview.fingerprint,
        "previewed_at": now,
        "progress": "",
    }


def _compute_and_store(
    proposal: Proposal, change: ProposedChange, scope: ChangeScope, now: datetime
) -> Preview:
    preview = compute_preview(change, scope, now, progress=partial(_progress, proposal.pk))
    drafts = Proposal.objects.filter(pk=proposal.pk, status=ProposalStatus.DRAFT)
    if not drafts.update(**_preview_fields(preview, now)):
        _require_draft(proposal)
    proposal.refresh_from_db()
    return preview


def _carry_out(
    proposal: Proposal, change: ProposedChange, preview: Preview, reason: str, actor: Actor
) -> Rollout:
    """Writes intent, ledger and rollout, if the rows still are what the preview was made of."""
    with transaction.atomic():
        _lock(preview)
        # Read after the locks: what others committed until then began before this moment.
        now = timezone.now()
        _claim(proposal, preview, reason, now)
        scope = _same_rows(proposal, change, preview, now)
        placements = change.carry_out(scope, ApplyContext(actor, reason, now))
        rollout = create_rollout(
            kind=change.rollout_kind,
            title=preview.title,
            reason=reason,
            actor=actor,
            placements=placements,
            source=f"change:{proposal.pk}",
            force=change.takes_over,
            at=now,
        )
        Proposal.objects.filter(pk=proposal.pk).update(rollout=rollout)
    proposal.refresh_from_db()
    return rollout


def _claim(proposal: Proposal, preview: Preview, reason: str, now: datetime) -> None:
    """Compare-and-swap: of two people who apply at once, one does."""
    drafts = Proposal.objects.filter(pk=proposal.pk, status=ProposalStatus.DRAFT)
    if not drafts.update(
        status=ProposalStatus.APPLIED,
        reason=reason,
        applied_at=now,
        preview=settled_json(preview),
    ):
        _require_draft(proposal)


def _lock(live: Preview) -> None:
    slugs = list(live.base["tenants"])
    locked = Tenant.objects.select_for_update().filter(slug__in=slugs).order_by("pk")
    list(locked.values_list("pk", flat=True))


def _same_rows(
    proposal: Proposal, change: ProposedChange, live: Preview, now: datetime
) -> ChangeScope:
    """The scope again, if the rows still say what the preview was computed from."""
    scope = change.scope(now)
    base = base_of(scope, tenant_diffs(change, scope, now))
    if any(live.base[name] != value for name, value in base.items()):
        raise _stale(proposal, live)
    return scope


def _stale(proposal: Proposal, live: Preview) -> DomainError:
    differences = since(preview_from(proposal.preview), live)
    count = len(differences)
    return DomainError(
        "stale_preview",
        f"Nothing was written: {'this has' if count == 1 else f'{count} things have'} changed "
        f"since the preview. {' '.join(difference.what for difference in differences[:3])} "
        "Look at the new preview, then apply it.",
        status=409,
        detail={
            "since": [asdict(difference) for difference in differences],
            "fingerprint": live.fingerprint,
        },
    )


def _require_confirmed(live: Preview, change: ProposedChange, confirm: str) -> None:
    typed = confirm.strip() or getattr(change, "confirm", "")
    if live.confirm and typed != live.confirm:
        raise DomainError(
            "confirm_required",
            f"Confirm: {typed!r} is not {live.confirm!r}; type the tenant's short name to say that "
            "what is shown may be deleted.",
            field="confirm",
        )


def _require_draft(proposal: Proposal) -> None:
    proposal.refresh_from_db(fields=["status", "applied_at", "rollout"])
    if proposal.status == ProposalStatus.DRAFT:
        return
    word = proposal.get_status_display().lower()
    raise DomainError(
        "not_a_draft",
        f"This change was {word} already; propose it again to make it once more.",
        status=409,
        detail={"status": proposal.status, "rollout": proposal.rollout_id},
    )


def _record_refusal(proposal: Proposal, reason: str, actor: Actor, error: DomainError) -> None:
    audit.record(
        actor=actor,
        action="change.apply",
        object_type="proposal",
        object_id=proposal.pk,
        object_label=proposal.title,
        tenant=str(proposal.payload.get("tenant", "")),
        after={"kind": proposal.kind, "change": shown(proposal.payload)},
        reason=reason.strip(),
        outcome=Outcome.REFUSED,
        message=error.message,
    )


def _progress(proposal_id: int, text: str) -> None:
    Proposal.objects.filter(pk=proposal_id, status=ProposalStatus.DRAFT).update(progress=text[:200])


@contextmanager
def _recorded(proposal: Proposal, reason: str, actor: Actor) -> Iterator[None]:
    """Writes a refusal to the ledger. Commands have no request: what they do still shares one id
    there."""
    token = None if current_request_id.get() else current_request_id.set(uuid.uuid4().hex)
    try:
        yield
    except DomainError as error:
        _record_refusal(proposal, reason, actor, error)
        raise
    finally:
        if token is not None:
            current_request_id.reset(token)
