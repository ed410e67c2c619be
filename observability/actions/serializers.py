"""Actions as REST shows them."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers as s

from console.rest.fields import Choice, Flag, Id, JSONObject, ListOf, Number, Reason, Text
from console.rest.serializers import Body, described
from console.rest.views import Row
from observability.actions.contracts import FASTEST, MOST_RUNS
from observability.actions.models import Action, ActionItem, ActionStatus, ItemStatus, RunSelection
from observability.actions.services.previews import BatchPreview
from observability.actions.services.records import repeatable
from observability.engines.catalogue import VERBS
from observability.engines.verbs import Availability
from observability.jobs.models import ENGINE_CHOICES

_NAMES = sorted({verb.name for verb in VERBS})


def _action_for_members(row: Row) -> Row:
    """What was done to their run, when, and what came of it; not who did it, why and where."""
    texts = ("reason", "message", "label", "selection", "query")
    hidden: dict[str, Any] = {
        **dict.fromkeys(texts, ""),
        "target": None,
        "arguments": {},
        "result": {},
    }
    return {name: hidden.get(name, "operator" if name == "actor" else row[name]) for name in row}


ACTION = described(
    "Action",
    "One thing that was asked to be done to a run, or to many. Members of a tenant see what was "
    "done to their runs and how it ended, without who did it and why.",
    members_see=_action_for_members,
    id=s.IntegerField(),
    url=s.CharField(),
    engine=s.ChoiceField(choices=ENGINE_CHOICES),
    verb=s.ChoiceField(choices=_NAMES),
    run=s.IntegerField(allow_null=True, help_text="Null for a batch."),
    label=s.CharField(),
    target=s.CharField(allow_null=True),
    tenant=s.CharField(allow_null=True),
    arguments=s.DictField(help_text="The input of a signal is told by its size only."),
    reason=s.CharField(),
    actor=s.CharField(),
    status=s.ChoiceField(choices=ActionStatus.choices),
    message=s.CharField(help_text="The engine's own words."),
    result=s.DictField(help_text="What the engine gave back, such as the id of a new run."),
    created_at=s.DateTimeField(),
    finished_at=s.DateTimeField(allow_null=True),
    selection=s.ChoiceField(choices=RunSelection.choices, allow_blank=True),
    query=s.CharField(allow_blank=True),
    rate=s.IntegerField(allow_null=True, help_text="Operations a second of a batch."),
    total=s.IntegerField(),
    done=s.IntegerField(),
    not_done=s.IntegerField(),
)
ITEM = described(
    "BatchItem",
    "One run of a batch and what came of it.",
    id=s.IntegerField(),
    run=s.IntegerField(allow_null=True, help_text="Null for a run that is not known here."),
    label=s.CharField(),
    tenant=s.CharField(allow_null=True),
    status=s.ChoiceField(choices=ItemStatus.choices),
    message=s.CharField(allow_blank=True, help_text="The engine's own words."),
    result=s.DictField(),
    finished_at=s.DateTimeField(allow_null=True),
)
OFFER = described(
    "ActionOffer",
    "A verb and whether it fits the run now.",
    verb=s.ChoiceField(choices=_NAMES),
    label=s.CharField(),
    effect=s.CharField(help_text="What will happen, in words."),
    possible=s.BooleanField(),
    why_not=s.CharField(allow_blank=True),
    destructive=s.BooleanField(help_text="Asks for `confirm`: the run's id."),
    arguments=s.ListField(child=s.DictField()),
)
RUN_ACTIONS = described(
    "RunActions",
    "What can be done to a run now, and what was.",
    possible=OFFER(many=True),
    actions=ACTION(many=True, help_text="The latest 20."),
    orders=ACTION(many=True, help_text="The former name of `actions`."),
)


@extend_schema_field({"type": "string", "enum": _NAMES})
class _Verb(Text):
    """Which verbs there are depends on the engine: the services say it."""


class ActionRequestSerializer(Body):
    """What shall be done to the run, and why."""

    verb = _Verb()
    reason = Reason()
    arguments = JSONObject(default=dict)
    confirm = Text(default="", help_text="The run's id, for what is destructive.")
    seen_status = Text(default="", help_text="The status you read: 409 when it is another by now.")


class BatchRequest(Body):
    """What shall be done to many runs. With `dry_run` they are only counted."""

    engine = Choice(ENGINE_CHOICES)
    verb = _Verb()
    query = Text(default="", help_text="As on the page Jobs; or the engine's own.")
    ids = ListOf(
        child=Id(), default=list, max_length=MOST_RUNS, help_text="Runs, instead of a query."
    )
    target = Text(default="", help_text="A Temporal target: `query` is a visibility query there.")
    arguments = JSONObject(default=dict)
    rate = Number(default=5, min_value=1, max_value=FASTEST, help_text="Operations a second.")
    reason = Text(default="", help_text="Needed unless it is a dry run.")
    expected = Number(default=None, help_text="The count you saw: 409 when it is another by now.")
    confirm = Text(default="", help_text="The count, for what is destructive.")
    dry_run = Flag(default=False)


COUNT = described(
    "BatchCount",
    "What a batch would be about; nothing was written.",
    total=s.IntegerField(help_text="Runs found."),
    fitting=s.IntegerField(help_text="Runs to which it can be done now."),
    tenants=s.DictField(child=s.IntegerField()),
    sample=s.ListField(child=s.ListField()),
    left_out=s.DictField(child=s.IntegerField(), help_text="Reasons and how many."),
    seconds=s.FloatField(help_text="How long it takes at that rate."),
)


def action_row(action: Action) -> Row:
    """One action; expects run, target and tenant to be loaded."""
    return {
        "id": action.pk,
        "url": reverse("api_action", kwargs={"pk": action.pk}),
        "engine": action.engine,
        "verb": action.verb,
        "run": action.run_id,
        "label": action.label,
        "target": action.target.slug if action.target else None,
        "tenant": action.tenant.slug if action.tenant else None,
        "arguments": repeatable(action.arguments),
        "reason": action.reason,
        "actor": action.actor,
        "status": action.status,
        "message": action.message,
        "result": action.result,
        "created_at": action.created_at,
        "finished_at": action.finished_at,
        "selection": action.selection,
        "query": action.query,
        "rate": action.rate or None,
        "total": action.total,
        "done": action.done,
        "not_done": action.bad,
    }


def item_row(item: ActionItem) -> Row:
    """One run of a batch."""
    return {
        "id": item.pk,
        "run": item.run_id,
        "label": item.label,
        "tenant": item.tenant or None,
        "status": item.status,
        "message": item.message,
        "result": item.result,
        "finished_at": item.finished_at,
    }


def offer_row(offered: Availability) -> Row:
    """One verb and whether it is possible."""
    verb = offered.verb
    return {
        "verb": verb.name,
        "label": verb.label,
        "effect": " ".join(verb.effect),
        "possible": not offered.why_not,
        "why_not": offered.why_not,
        "destructive": verb.destructive,
        "arguments": [
            {
                "name": argument.name,
                "kind": argument.kind.value,
                "required": argument.required,
                "default": argument.default,
                "help": argument.help or argument.label,
                "choices": [name for name, _ in argument.choices],
            }
            for argument in verb.arguments
        ],
    }


def count_row(preview: BatchPreview) -> dict[str, Any]:
    """A dry count."""
    return preview.plain()
