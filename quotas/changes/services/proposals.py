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

from django.db import transaction
from django.utils import timezone

from console import celery
from console.audit import services as audit
from console.audit.models import Outcome
from console.audit.services import Actor
from console.errors import DomainError
from console.request import current_request_id
from quotas.changes.contracts import Change, Offboard, Preview
from quotas.changes.models import Proposal, ProposalStatus
from quotas.changes.rules.compare import since
from quotas.changes.rules.payload import parse_change, payload_of
from quotas.changes.rules.titles import title
from quotas.changes.selectors.scope import Scope, scope_of
from quotas.changes.services.execution import ApplyContext, carry_out
from quotas.changes.services.preview import (
    base_of,
    compute_preview,
    preview_json,
    tenant_diffs,
)
from quotas.enforcement.models import Rollout
from tenants.models import Tenant

LARGE = 200
"""Previews of more tenants than this are computed by a worker, with progress on the row."""
PREVIEW_TASK = "quotas.changes.tasks.compute_preview"


def propose(*, change: Change, actor: Actor) -> Proposal:
    """A draft of a change that can be made as things stand; nothing else is written.

    Raises DomainError as `scope_of` does.
    """
    scope_of(change, timezone.now())
    return Proposal.objects.create(
        kind=type(change).__name__,
        payload=payload_of(change),
        title=title(change),
        author=actor.user,
        author_name=actor.name,
    )


def change_of(proposal: Proposal) -> Change:
    """The change that a proposal holds."""
    return parse_change(proposal.kind, proposal.payload)


def request_preview(*, proposal: Proposal) -> Preview | None:
    """Computes the preview at once, or has a worker do it where it is large (None: watch
    `proposal.progress` and `previewed_at`). Without a broker it is computed here all the same."""
    now = timezone.now()
    scope = scope_of(change_of(proposal), now)
    if len(scope.tenants) > LARGE:
        _progress(proposal.pk, "Waiting for a worker")
        if celery.enqueue(PREVIEW_TASK, proposal.pk):
            proposal.refresh_from_db()
            return None
    return update_preview(proposal=proposal, now=now)


def update_preview(*, proposal: Proposal, now: datetime) -> Preview:
    """Looks ahead and stores what it saw on the draft.

    Raises DomainError: "not_a_draft" (409), or as `scope_of` does; `progress` then says why.
    """
    _require_draft(proposal)
    try:
        preview = compute_preview(
            change_of(proposal), now, progress=partial(_progress, proposal.pk)
        )
    except DomainError as error:
        _progress(proposal.pk, f"Not possible: {error.message}")
        raise
    stored = Proposal.objects.filter(pk=proposal.pk, status=ProposalStatus.DRAFT).update(
        preview=preview_json(preview),
        fingerprint=preview.fingerprint,
        previewed_at=now,
        title=preview.title,
        progress="",
    )
    proposal.refresh_from_db()
    if not stored:
        _require_draft(proposal)
    return preview


def apply(
    *, proposal: Proposal, fingerprint: str, reason: str, actor: Actor, confirm: str = ""
) -> Rollout:
    """Does exactly what the preview with `fingerprint` said, or refuses and writes nothing.

    `confirm` repeats the tenant's slug where something is deleted. Raises DomainError:
    "reason_required", "confirm_required", "not_a_draft" (409: somebody applied it already),
    "stale_preview" (409, detail["since"]: what has changed, one {what, tenant, target, object,
    path} each), "plan_moved_on" (409), or as `scope_of` does. Refusals are in the ledger too.
    """
    with _request_id():
        try:
            return _apply(proposal, fingerprint, reason, actor, confirm)
        except DomainError as error:
            _record_refusal(proposal, reason, actor, error)
            raise


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
            before={"kind": proposal.kind, "change": proposal.payload},
        )
    proposal.refresh_from_db()


def _apply(
    proposal: Proposal, fingerprint: str, reason: str, actor: Actor, confirm: str
) -> Rollout:
    said = audit.require_reason(reason)
    _require_draft(proposal)
    change = change_of(proposal)
    # The planes are read before the transaction: no network while the database holds locks.
    live = compute_preview(change, timezone.now(), progress=lambda _: None)
    _require_confirmed(live, change, confirm)
    if live.fingerprint != fingerprint:
        raise _stale(proposal, live)
    with transaction.atomic():
        _lock(live)
        # Read after the locks: what others committed until then began before this moment.
        now = timezone.now()
        _claim(proposal, said, now)
        scope = _same_rows(proposal, change, live, now)
        context = ApplyContext(actor, said, now, live.title, f"change:{proposal.pk}")
        rollout = carry_out(change, scope, context)
        Proposal.objects.filter(pk=proposal.pk).update(rollout=rollout)
    proposal.refresh_from_db()
    return rollout


def _claim(proposal: Proposal, reason: str, now: datetime) -> None:
    """Compare-and-swap: of two people who apply at once, one does."""
    drafts = Proposal.objects.filter(pk=proposal.pk, status=ProposalStatus.DRAFT)
    if not drafts.update(status=ProposalStatus.APPLIED, reason=reason, applied_at=now):
        _require_draft(proposal)


def _lock(live: Preview) -> None:
    slugs = list(live.base["tenants"])
    locked = Tenant.objects.select_for_update().filter(slug__in=slugs).order_by("pk")
    list(locked.values_list("pk", flat=True))


def _same_rows(proposal: Proposal, change: Change, live: Preview, now: datetime) -> Scope:
    """The scope again, if the rows still say what the preview was computed from."""
    scope = scope_of(change, now)
    base = base_of(scope, tenant_diffs(change, scope, now))
    if any(live.base[name] != value for name, value in base.items()):
        raise _stale(proposal, live)
    return scope


def _stale(proposal: Proposal, live: Preview) -> DomainError:
    found = since(proposal.preview or {}, preview_json(live))
    count = len(found)
    return DomainError(
        "stale_preview",
        f"Nothing was written: {'this has' if count == 1 else f'{count} things have'} changed "
        f"since the preview. {' '.join(each.what for each in found[:3])} Look at the new preview, "
        "then apply it.",
        status=409,
        detail={"since": [asdict(each) for each in found], "fingerprint": live.fingerprint},
    )


def _require_confirmed(live: Preview, change: Change, confirm: str) -> None:
    given = confirm.strip() or (change.confirm if isinstance(change, Offboard) else "")
    if live.confirm and given != live.confirm:
        raise DomainError(
            "confirm_required",
            f"Confirm: {given!r} is not {live.confirm!r}; type the tenant's short name to say that "
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
        after={"kind": proposal.kind, "change": proposal.payload},
        reason=reason.strip(),
        outcome=Outcome.REFUSED,
        message=error.message,
    )


def _progress(proposal_id: int, text: str) -> None:
    Proposal.objects.filter(pk=proposal_id, status=ProposalStatus.DRAFT).update(progress=text[:200])


@contextmanager
def _request_id() -> Iterator[None]:
    """Commands have no request: what they do still shares one id in the ledger."""
    if current_request_id.get():
        yield
        return
    token = current_request_id.set(uuid.uuid4().hex)
    try:
        yield
    finally:
        current_request_id.reset(token)
