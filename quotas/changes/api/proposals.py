"""The careful way in two steps: propose and read the preview, then apply exactly that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.access.contracts import Permission
from console.access.idempotency import Idempotent
from console.access.rights import actor_of, person_of, require
from console.errors import DomainError
from console.rest.preconditions import tag
from console.rest.serializers import Nothing
from console.rest.views import (
    READ,
    Row,
    RowList,
    TaggedDetail,
)
from quotas.changes.filters import ProposalFilters
from quotas.changes.kinds.change import ProposedChange
from quotas.changes.kinds.payload import kind_named
from quotas.changes.kinds.registry import permission_for
from quotas.changes.models import Proposal
from quotas.changes.serializers import change_bodies as bodies
from quotas.changes.serializers import proposals as shapes
from quotas.changes.services import proposals
from quotas.changes.services.preview import compute_preview

_EXAMPLE = OpenApiExample(
    "A smaller plan",
    value={
        "kind": "PublishPlan",
        "payload": {
            "plan": "standard",
            "base_version": 3,
            "limits": {"requests.cpu": "30", "requests.memory": "96Gi", "pods": 100},
        },
    },
    request_only=True,
)


class ProposalList(Idempotent, RowList):
    """Changes that were proposed, the newest first."""

    required_permissions: ClassVar = {**READ, "POST": Permission.OPERATE}
    queryset = Proposal.objects.defer("preview", "payload")
    serializer_class = shapes.PROPOSAL
    filterset_class = ProposalFilters
    cursor_key = ("created_at", "id")
    cursor_descending = True

    def shape(self, rows: Sequence[Proposal]) -> list[Row]:
        return [shapes.proposal_row(row) for row in rows]

    @extend_schema(
        request=bodies.Propose,
        responses={201: shapes.PROPOSAL_DETAIL, 202: shapes.PROPOSAL_DETAIL},
        examples=[_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        """A draft with its preview: nothing is written anywhere. 202 while a large preview is
        computed; read the proposal until `preview` is there."""
        change = _change_of(request)
        draft, preview = proposals.propose(change=change, actor=actor_of(request))
        row = shapes.proposal_detail(draft)
        code = status.HTTP_202_ACCEPTED if preview is None else status.HTTP_201_CREATED
        return Response(row, status=code, headers={"Location": str(row["url"])})


class ProposalDetail(TaggedDetail):
    """One proposed change with its preview."""

    required_permissions: ClassVar = {**READ, "DELETE": Permission.OPERATE}
    queryset = Proposal.objects.all()
    serializer_class = shapes.PROPOSAL_DETAIL

    def etag_of(self, instance: Proposal) -> str:
        """Made of its state and the preview's fingerprint."""
        return f"{instance.pk}-{tag(instance.status, instance.fingerprint)}"

    def shape(self, row: Proposal) -> Row:
        return shapes.proposal_detail(row)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, **_: Any) -> Response:
        """Gives a draft up."""
        proposal = get_object_or_404(self.get_queryset(), pk=self.kwargs["pk"])
        require(request, permission_for(proposal.kind))
        self.check_match(proposal)
        proposals.discard(proposal=proposal, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ProposalRefresh(Idempotent, APIView):
    """Looks again for a draft."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(
        request=None, responses={200: shapes.PROPOSAL_DETAIL, 202: shapes.PROPOSAL_DETAIL}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Computes the preview again, from rows and targets as they are now. 202 while a large one
        is computed; read the proposal until `previewed_at` has moved."""
        proposal = get_object_or_404(Proposal.objects.visible_to(person_of(request)), pk=pk)
        Nothing.read(request)
        preview = proposals.request_preview(proposal=proposal)
        code = status.HTTP_202_ACCEPTED if preview is None else status.HTTP_200_OK
        return Response(shapes.proposal_detail(proposal), status=code)


class ProposalApply(Idempotent, APIView):
    """Applies a draft."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=bodies.Apply, responses={202: shapes.APPLIED})
    def post(self, request: Request, pk: int) -> Response:
        """Does what the preview with this fingerprint said, or refuses: 409 `stale_preview`, with
        what has changed since in `context.since` and the new fingerprint in
        `context.fingerprint`."""
        proposal = get_object_or_404(Proposal.objects.visible_to(person_of(request)), pk=pk)
        require(request, permission_for(proposal.kind))
        body = bodies.Apply.read(request)
        rollout = proposals.apply(proposal=proposal, actor=actor_of(request), **body)
        row = shapes.applied_row(proposal, rollout)
        headers = {"Location": str(row["url"])}
        return Response(row, status=status.HTTP_202_ACCEPTED, headers=headers)


class DryRun(Idempotent, APIView):
    """A preview of which nothing is kept."""

    required_permissions: ClassVar = {"POST": Permission.OPERATE}

    @extend_schema(request=bodies.Propose, responses=shapes.PREVIEW, examples=[_EXAMPLE])
    def post(self, request: Request) -> Response:
        """What a change would do, without keeping a proposal. A proposal of the same change has
        the same fingerprint as long as things stay as they are."""
        change = _change_of(request)
        now = timezone.now()
        scope = change.scope(now)
        tenants = len(scope.tenants)
        if tenants > proposals.LARGE:
            raise DomainError(
                "too_large",
                f"This concerns {tenants} tenants; a preview of more than {proposals.LARGE} is "
                "computed by a worker: POST it to /api/v1/proposals/ instead.",
            )
        preview = compute_preview(change, scope, now)
        return Response(shapes.preview_row(preview))


def _change_of(request: Request) -> ProposedChange:
    """The change in the body. Of its fields only the kind is looked at before it is known whether
    whoever asks may make such changes."""
    sent: Any = request.data
    kind = sent.get("kind") if isinstance(sent, Mapping) else None
    if isinstance(kind, str) and kind:
        require(request, kind_named(kind).permission)
    body = bodies.Propose.read(request)
    return bodies.change_of(kind_named(body["kind"]), body["payload"])
