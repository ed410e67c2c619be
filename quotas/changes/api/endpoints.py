"""One POST, one change: proposed, previewed and applied in one go, answered with its rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from console.access.idempotency import Idempotent
from console.access.rights import actor_of
from console.rest.serializers import Body, ReasonOnly
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.serializers.proposals import applied_row
from quotas.changes.services import proposals

if TYPE_CHECKING:
    from rest_framework.views import APIView

    _View = APIView
else:
    _View = object


class ChangeEndpoint(Idempotent, _View):
    """Gives a view the POST that makes one change of the kind of its `change`.

    `body` is what is sent, `url_fields` gives the fields that the URL says instead.
    """

    change: ClassVar[type[ProposedChange]]
    body: ClassVar[type[Body]] = ReasonOnly

    def url_fields(self, **_: Any) -> dict[str, Any]:
        """Fields of the change that stand in the URL."""
        return {}

    def make_change(self, request: Request, **kwargs: Any) -> Response:
        """202 with the rollout."""
        values = self.body.read(request)
        reason, confirm = values.pop("reason"), values.pop("confirm", "")
        applied = proposals.apply_at_once(
            change=self.change.of({**values, **self.url_fields(**kwargs)}),
            actor=actor_of(request),
            reason=reason,
            confirm=confirm,
        )
        row = applied_row(applied.proposal, applied.rollout)
        headers = {"Location": str(row["url"])}
        return Response(row, status=status.HTTP_202_ACCEPTED, headers=headers)
