"""One POST, one change: proposed, previewed and applied in one go, answered with its rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.utils import timezone
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from console.access.api import Idempotent
from console.access.gate import actor_of, refuse
from console.access.models import Permission, User
from console.audit.services import Actor
from console.errors import DomainError, ExternalError
from console.rest.body import body_of, take_reason, take_text
from quotas.changes.contracts import Change
from quotas.changes.models import Proposal
from quotas.changes.rules.payload import parse_change
from quotas.changes.rules.rights import is_for_operators
from quotas.changes.serializers import applied_row
from quotas.changes.services import proposals
from quotas.enforcement.models import Rollout

if TYPE_CHECKING:
    from rest_framework.views import APIView

    _View = APIView
else:
    _View = object


def permission_for(kind: str) -> Permission:
    """What somebody needs who makes a change of this kind."""
    return Permission.OPERATE if is_for_operators(kind) else Permission.ADMINISTER


def require_right(request: Request, kind: str) -> None:
    """Refuses whoever may not make changes of this kind; the refusal is in the ledger."""
    permission = permission_for(kind)
    if not (isinstance(request.user, User) and request.user.may(permission)):
        refuse(request._request, permission=permission)


class ChangeEndpoint(Idempotent, _View):
    """Gives a view the POST that makes one change of `change`.

    `url_fields` gives the fields that the URL says; a body that says them too is refused.
    """

    change: ClassVar[type[Any]]

    def url_fields(self, **_: Any) -> dict[str, Any]:
        """Fields of the change that stand in the URL."""
        return {}

    def order(self, request: Request, **kwargs: Any) -> Response:
        """202 with the rollout."""
        body = body_of(request)
        reason = take_reason(body)
        fixed = self.url_fields(**kwargs)
        for name in fixed:
            if name in body:
                raise DomainError(
                    "invalid", f"{name}: the address says it already; leave it out.", field=name
                )
        confirm = "" if self._is_field("confirm") else take_text(body, "confirm")
        change = parse_change(self.change.__name__, {**body, **fixed})
        proposal, rollout = carry_out(
            change, actor=actor_of(request), reason=reason, confirm=confirm
        )
        row = applied_row(proposal, rollout)
        headers = {"Location": str(row["url"])}
        return Response(row, status=status.HTTP_202_ACCEPTED, headers=headers)

    def _is_field(self, name: str) -> bool:
        return name in self.change.__dataclass_fields__


def carry_out(
    change: Change, *, actor: Actor, reason: str, confirm: str = ""
) -> tuple[Proposal, Rollout]:
    """Proposes, previews and applies a change. Where that is refused nothing stays behind."""
    draft = proposals.propose(change=change, actor=actor)
    try:
        preview = proposals.update_preview(proposal=draft, now=timezone.now())
        rollout = proposals.apply(
            proposal=draft,
            fingerprint=preview.fingerprint,
            reason=reason,
            actor=actor,
            confirm=confirm,
        )
    except (DomainError, ExternalError):
        proposals.discard(proposal=draft, actor=actor)
        raise
    return draft, rollout
