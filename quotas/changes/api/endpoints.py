"""One POST, one change: proposed, previewed and applied in one go, answered with its rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from console.access.idempotency import Idempotent
from console.access.rights import actor_of
from console.errors import DomainError
from console.rest.body import body_of, take_reason, take_text
from quotas.changes.serializers.change_body import parse_change
from quotas.changes.serializers.proposals import applied_row
from quotas.changes.services import proposals

if TYPE_CHECKING:
    from rest_framework.views import APIView

    _View = APIView
else:
    _View = object


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
        applied = proposals.apply_at_once(
            change=change, actor=actor_of(request), reason=reason, confirm=confirm
        )
        row = applied_row(applied.proposal, applied.rollout)
        headers = {"Location": str(row["url"])}
        return Response(row, status=status.HTTP_202_ACCEPTED, headers=headers)

    def _is_field(self, name: str) -> bool:
        return name in self.change.__dataclass_fields__
