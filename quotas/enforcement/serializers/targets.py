"""Targets as the REST API says them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from console.rest.fields import Choice, Flag, JSONObject, Number, Reason, Text
from console.rest.serializers import Body, described
from console.rest.views import Row
from quotas.enforcement.models import TargetState
from quotas.enforcement.serializers.tenants import CONDITION_SCHEMA, condition_fields
from tenants.models import DriftPolicy, Target

_text, _moment = serializers.CharField, serializers.DateTimeField
_integer, _flag = serializers.IntegerField, serializers.BooleanField
_texts = serializers.ListField
_HEALTH: dict[str, Any] = {
    **CONDITION_SCHEMA,
    "checked_at": _moment(allow_null=True),
    "latency_ms": serializers.FloatField(allow_null=True),
    "version": _text(help_text="Of the server there."),
    "features": serializers.DictField(),
    "missing": _texts(child=_text(), help_text="Permissions that we lack there."),
    "warnings": _texts(child=_text()),
    "credential_expires_at": _moment(allow_null=True),
}
TARGET = described(
    "Target",
    "A cluster or a Temporal namespace: where limits are enforced.",
    slug=_text(),
    name=_text(),
    kind=_text(),
    endpoint=_text(),
    credential=_text(help_text="Where the credential is; never the secret."),
    options=serializers.DictField(),
    drift_policy=serializers.ChoiceField(choices=DriftPolicy.choices),
    concurrency=_integer(),
    enabled=_flag(),
    placements=_integer(),
    **_HEALTH,
    swept_at=_moment(allow_null=True, help_text="When all of it was last compared."),
    generation=_integer(),
    created_at=_moment(),
    updated_at=_moment(),
)


class _Settings(Body):
    endpoint = Text(required=False, help_text="HOST:PORT of a Temporal server.")
    credential = Text(
        required=False, help_text="kubeconfig:/path#context, env:NAME, file:/path or in-cluster."
    )
    options = JSONObject(required=False)
    drift_policy = Choice(DriftPolicy.choices, required=False)
    concurrency = Number(required=False)
    enabled = Flag(required=False)
    reason = Reason()


class NewTarget(_Settings):
    """A target to enforce limits on."""

    slug = Text()
    name = Text()
    kind = Text(help_text="kubernetes, temporal, argo or celery.")


class TargetEdit(_Settings):
    """New settings of a target; what is left out stays."""

    name = Text(required=False)


TARGET_TEST = described(
    "TargetTest",
    "What a probe found just now.",
    ok=_flag(),
    summary=_text(help_text="What was found, in a sentence."),
    **_HEALTH,
)
SYNC = described(
    "TargetSync",
    "Whether a worker was told; else the next regular sweep does it.",
    queued=_flag(),
)


def target_row(target: Target, placements: int, *, unchecked: bool = False) -> Row:
    """A target (with `state` selected) as `TARGET` describes it. `unchecked`: nobody compares what
    is there with what is intended."""
    state: TargetState | None = getattr(target, "state", None)
    return {
        "slug": target.slug,
        "name": target.name,
        "kind": target.kind,
        "endpoint": target.endpoint,
        "credential": target.credential,
        "options": target.options,
        "drift_policy": target.drift_policy,
        "concurrency": target.concurrency,
        "enabled": target.enabled,
        "placements": placements,
        **health(state, unchecked=unchecked),
        "swept_at": state.swept_at if state else None,
        "generation": target.generation,
        "created_at": target.created_at,
        "updated_at": target.updated_at,
    }


def health(state: TargetState | None, *, unchecked: bool) -> dict[str, Any]:
    """What the last probe found; `unchecked` as in `target_row`."""
    return {
        **condition_fields(state, unchecked=unchecked),
        "checked_at": state.checked_at if state else None,
        "latency_ms": state.latency_ms if state else None,
        "version": state.version if state else "",
        "features": state.features if state else {},
        "missing": [str(permission) for permission in state.missing] if state else [],
        "warnings": [str(warning) for warning in state.warnings] if state else [],
        "credential_expires_at": state.credential_expires_at if state else None,
    }
