"""Changes, their previews and what became of them as the REST API says them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from console.rest.serializers import described
from console.rest.views import Row
from quotas.changes.contracts import Preview
from quotas.changes.kinds.payload import shown
from quotas.changes.models import Proposal, ProposalStatus
from quotas.changes.rules.preview_document import preview_from, preview_json
from quotas.changes.selectors.preview_page import sentence
from quotas.changes.serializers.change_bodies import KIND_CHOICES
from quotas.enforcement.models import Rollout
from quotas.enforcement.serializers.rollouts import rollout_url

MOST_OBJECTS = 100
FORMER_NAMES = {
    "hurt": "over_limit",
    "kept": "shadowed",
    "kept_total": "shadowed_total",
    "kept_tenants": "shadowed_tenants",
}
"""Fields of a preview under the names that they had once, which scripts may still read."""
_text, _moment = serializers.CharField, serializers.DateTimeField
_integer, _flag = serializers.IntegerField, serializers.BooleanField
_objects, _texts = serializers.ListField, serializers.ListField
APPLIED = described(
    "Applied",
    "The rollout that pushes the change, and what its preview said.",
    id=_integer(help_text="Of the rollout."),
    url=_text(help_text="Of the rollout: read it to see how far it is."),
    title=_text(),
    total=_integer(help_text="Placements that are written to."),
    finished_at=_moment(allow_null=True),
    proposal=_integer(),
    summary=_text(),
    warnings=_texts(child=_text()),
)
OBJECT = described(
    "ObjectChange",
    "One object that changes, field by field.",
    placement=_integer(help_text="Below zero for one that does not exist yet."),
    tenant=_text(),
    target=_text(),
    location=_text(),
    operation=_text(help_text="create, update or delete."),
    object=_text(help_text="Its name for people, made of the next four."),
    kind=_text(),
    namespace=_text(),
    name=_text(),
    part=_text(help_text="A share of an object that several tenants own together."),
    fields=_objects(
        child=serializers.DictField(),
        help_text="path, before, after, key, and the owner where it is somebody else.",
    ),
)
PREVIEW = described(
    "Preview",
    f"What applying a change would do. `objects` holds the first {MOST_OBJECTS}; a proposal's "
    "`objects/` lists them page by page.",
    summary=_text(),
    title=_text(),
    at=_moment(),
    tenants=_integer(),
    placements=_integer(),
    limits=_objects(child=serializers.DictField()),
    settings=_objects(child=serializers.DictField()),
    over_limit=_objects(
        child=serializers.DictField(), help_text="Who uses more than the new limit already."
    ),
    shadowed=_objects(
        child=serializers.DictField(), help_text="Where a lease or override wins over the plan."
    ),
    shadowed_total=_integer(),
    shadowed_tenants=_integer(),
    hurt=_objects(child=serializers.DictField(), help_text="The former name of `over_limit`."),
    kept=_objects(child=serializers.DictField(), help_text="The former name of `shadowed`."),
    kept_total=_integer(help_text="The former name of `shadowed_total`."),
    kept_tenants=_integer(help_text="The former name of `shadowed_tenants`."),
    objects=_objects(child=serializers.DictField()),
    objects_total=_integer(),
    creates=_integer(),
    updates=_integer(),
    deletes=_integer(),
    blocked=_objects(child=serializers.DictField()),
    costs=_objects(child=serializers.DictField()),
    calls=_integer(help_text="API calls that it costs."),
    seconds=serializers.FloatField(),
    reads=_integer(),
    warnings=_texts(child=_text()),
    confirm=_text(help_text="What must be typed to apply it; empty when nothing."),
    fingerprint=_text(),
)
_PROPOSAL: dict[str, Any] = {
    "id": _integer(),
    "url": _text(),
    "kind": serializers.ChoiceField(choices=KIND_CHOICES),
    "title": _text(),
    "status": serializers.ChoiceField(choices=ProposalStatus.choices),
    "author": _text(),
    "reason": _text(),
    "progress": _text(help_text="While the preview is computed, or why it cannot be."),
    "previewed_at": _moment(allow_null=True),
    "rollout": _integer(allow_null=True),
    "created_at": _moment(),
    "applied_at": _moment(allow_null=True),
}
PROPOSAL = described("Proposal", "A change that somebody proposes.", **_PROPOSAL)
PROPOSAL_DETAIL = described(
    "ProposalDetail",
    "A change with its preview; null while that is computed: read it again soon.",
    **_PROPOSAL,
    payload=serializers.DictField(),
    fingerprint=_text(help_text="Of the preview; empty until there is one."),
    preview=PREVIEW(allow_null=True),
)


EXAMPLES: dict[str, dict[str, Any]] = {
    "NewTenant": {
        "slug": "acme",
        "name": "Acme",
        "plan": "standard",
        "labels": {"team": "red"},
        "placements": [{"target": "eu-1", "location": "acme"}],
        "reason": "Contract 2026-114",
    },
    "NewLease": {
        "tenants": ["acme"],
        "key": "requests.cpu",
        "value": "60",
        "until": "2026-11-23T18:00:00Z",
        "reason": "Load test, asked for by Ida",
    },
    "NewOverride": {
        "tenants": ["acme"],
        "key": "pods",
        "value": "unlimited",
        "reason": "Many tiny pods, agreed with sales",
    },
    "NewPlanVersion": {
        "base_version": 3,
        "limits": {"requests.cpu": "30", "requests.memory": "96Gi", "pods": "100"},
        "reason": "Fewer cores for everybody",
    },
}


def example_of(name: str) -> OpenApiExample:
    """The example of a request body."""
    return OpenApiExample(name, value=EXAMPLES[name], request_only=True)


def applied_row(proposal: Proposal, rollout: Rollout) -> Row:
    """An applied proposal and its rollout as `APPLIED` describes them."""
    preview = preview_from(proposal.preview)
    return {
        "id": rollout.pk,
        "url": rollout_url(rollout.pk),
        "title": rollout.title,
        "total": rollout.total,
        "finished_at": rollout.finished_at,
        "proposal": proposal.pk,
        "summary": sentence(preview) if preview else "",
        "warnings": list(preview.warnings) if preview else [],
    }


def proposal_row(proposal: Proposal) -> dict[str, Any]:
    """A proposal as `PROPOSAL` describes it; its preview is not read."""
    return {
        "id": proposal.pk,
        "url": reverse("api_proposal", kwargs={"pk": proposal.pk}),
        "kind": proposal.kind,
        "title": proposal.title,
        "status": proposal.status,
        "author": proposal.author_name,
        "reason": proposal.reason,
        "progress": proposal.progress,
        "previewed_at": proposal.previewed_at,
        "rollout": proposal.rollout_id,
        "created_at": proposal.created_at,
        "applied_at": proposal.applied_at,
    }


def proposal_detail(proposal: Proposal) -> Row:
    """A proposal as `PROPOSAL_DETAIL` describes it."""
    preview = preview_from(proposal.preview)
    return {
        **proposal_row(proposal),
        "payload": shown(proposal.payload),
        "fingerprint": proposal.fingerprint,
        "preview": preview_row(preview) if preview else None,
    }


def preview_row(preview: Preview) -> Row:
    """A preview as `PREVIEW` describes it."""
    document = preview_json(replace(preview, objects=preview.objects[:MOST_OBJECTS]))
    del document["base"]
    former = {old: document[new] for old, new in FORMER_NAMES.items()}
    return {"summary": sentence(preview), **document, **former}
