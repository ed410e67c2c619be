"""Rollouts, their items and drift as the REST API says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.urls import reverse
from rest_framework import serializers

from console.rest.fields import Flag, Id, ListOf, Reason
from console.rest.serializers import Body, described
from console.rest.views import Row
from quotas.enforcement.models import Drift, ItemState, Rollout, RolloutItem, RolloutKind
from quotas.enforcement.selectors.rollouts import TargetProgress

_text, _moment = serializers.CharField, serializers.DateTimeField
_integer, _flag = serializers.IntegerField, serializers.BooleanField
_changes = serializers.ListField
_OUTCOMES = Drift._meta.get_field("outcome").choices or ()
ROLLOUT_FIELDS: dict[str, Any] = {
    "id": _integer(),
    "url": _text(),
    "kind": serializers.ChoiceField(choices=RolloutKind.choices),
    "title": _text(),
    "reason": _text(),
    "actor": _text(),
    "source": _text(help_text="What it carries out, such as change:7."),
    "total": _integer(help_text="Number of placements."),
    "states": serializers.DictField(child=_integer(), help_text="Placements by state."),
    "open": _flag(),
    "created_at": _moment(),
    "started_at": _moment(allow_null=True),
    "finished_at": _moment(allow_null=True),
}
ROLLOUT = described("Rollout", "One push of intended limits to the targets.", **ROLLOUT_FIELDS)
ROLLOUT_DETAIL = described(
    "RolloutDetail",
    "One push of intent, with its progress on each target.",
    **ROLLOUT_FIELDS,
    targets=described(
        "TargetProgress",
        "How far it is on one target.",
        slug=_text(),
        done=_integer(),
        bad=_integer(),
        waiting=_integer(),
        total=_integer(),
        calls=_integer(),
        rate=serializers.FloatField(allow_null=True, help_text="Placements per second."),
        seconds_left=serializers.FloatField(allow_null=True),
        unreachable_since=_moment(allow_null=True),
        message=_text(),
    )(many=True),
)
ITEM = described(
    "RolloutItem",
    "One placement's part of a rollout.",
    id=_integer(),
    tenant=_text(),
    target=_text(),
    placement=_integer(),
    location=_text(),
    state=serializers.ChoiceField(choices=ItemState.choices),
    code=_text(),
    message=_text(),
    owners=serializers.DictField(child=_text()),
    changes=_changes(child=serializers.DictField(), help_text="What was written."),
    attempts=_integer(),
    calls=_integer(),
    milliseconds=_integer(),
    finished_at=_moment(allow_null=True),
)


class Retry(Body):
    """Lets what is not done try again now."""

    items = ListOf(
        child=Id(),
        required=False,
        allow_null=True,
        help_text="Ids of items; all that are not done if absent.",
    )
    force = Flag(default=False, help_text="Take fields over from their owners.")
    reason = Reason()


RETRIED = described("Retried", "What will try again.", retried=_integer(), rollout=ROLLOUT())
DRIFT = described(
    "Drift",
    "One finding that somebody else changed an object of ours, and what became of it.",
    id=_integer(),
    tenant=_text(),
    target=_text(),
    placement=_integer(),
    location=_text(),
    outcome=serializers.ChoiceField(choices=_OUTCOMES),
    owner=_text(help_text="Who wrote it, if known."),
    changes=_changes(child=serializers.DictField(), help_text="What differed."),
    found_at=_moment(),
    ended_at=_moment(allow_null=True),
)


def rollout_url(rollout_id: int) -> str:
    """Where a rollout is in the API."""
    return reverse("api_rollout", kwargs={"pk": rollout_id})


def rollout_row(rollout: Rollout, states: Mapping[str, int]) -> dict[str, object]:
    """A rollout as `ROLLOUT` describes it."""
    return {
        "id": rollout.pk,
        "url": rollout_url(rollout.pk),
        "kind": rollout.kind,
        "title": rollout.title,
        "reason": rollout.reason,
        "actor": rollout.actor,
        "source": rollout.source,
        "total": rollout.total,
        "states": dict(states),
        "open": rollout.finished_at is None,
        "created_at": rollout.created_at,
        "started_at": rollout.started_at,
        "finished_at": rollout.finished_at,
    }


def progress_row(progress: TargetProgress) -> Row:
    """One target of `ROLLOUT_DETAIL`."""
    return asdict(progress)


def item_row(item: RolloutItem) -> Row:
    """An item (tenant, target and placement selected) as `ITEM` describes it."""
    return {
        "id": item.pk,
        "tenant": item.tenant.slug,
        "target": item.target.slug,
        "placement": item.placement_id,
        "location": item.placement.location,
        "state": item.state,
        "code": item.code,
        "message": item.message,
        "owners": item.owners,
        "changes": item.changes,
        "attempts": item.attempts,
        "calls": item.calls,
        "milliseconds": item.milliseconds,
        "finished_at": item.finished_at,
    }


def drift_row(drift: Drift) -> Row:
    """A finding (tenant, target and placement selected) as `DRIFT` describes it."""
    return {
        "id": drift.pk,
        "tenant": drift.tenant.slug,
        "target": drift.target.slug,
        "placement": drift.placement_id,
        "location": drift.placement.location,
        "outcome": drift.outcome,
        "owner": drift.owner,
        "changes": drift.changes,
        "found_at": drift.found_at,
        "ended_at": drift.ended_at,
    }
