"""Runs and their events as the REST API says them."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from console.rest.serializers import described
from console.rest.views import Row
from observability.engines.registry import adapter_for
from observability.jobs.models import (
    ENGINE_CHOICES,
    FAILURE_CHOICES,
    STATUS_CHOICES,
    ArchiveState,
    Attribution,
)

_text, _moment = serializers.CharField, serializers.DateTimeField
_integer, _flag = serializers.IntegerField, serializers.BooleanField

RUN_COLUMNS: Final = (
    "id", "key", "engine", "target__slug", "location", "external_id", "run_id", "tenant__slug",
    "attribution", "type", "queue", "fairness_key", "status", "created_at", "began_at",
    "closed_at", "duration_ms", "attempts", "failure", "failure_kind", "started_by", "worker",
    "build", "parent_key", "progress", "hold", "cleanup_at", "cleaned_at", "event_count",
    "archive", "updated_at",
)  # fmt: skip
_RENAMED: Final = {"target__slug": "target", "tenant__slug": "tenant", "parent_key": "parent"}

RUN_FIELDS: Final[dict[str, Any]] = {
    "id": _integer(),
    "key": _text(help_text="How other runs name it: ENGINE/LOCATION/EXTERNAL_ID/RUN_ID."),
    "engine": serializers.ChoiceField(choices=ENGINE_CHOICES),
    "target": _text(allow_null=True, help_text="Null for members of a tenant."),
    "location": _text(help_text="Namespace, or queue of Celery."),
    "external_id": _text(help_text="Workflow id, Job or Workflow name, task id."),
    "run_id": _text(help_text="Run id or uid; empty where the engine has none."),
    "tenant": _text(allow_null=True, help_text="Null: unattributed."),
    "attribution": serializers.ChoiceField(choices=Attribution.choices),
    "type": _text(),
    "queue": _text(),
    "fairness_key": _text(),
    "status": serializers.ChoiceField(choices=STATUS_CHOICES),
    "created_at": _moment(help_text="When the engine accepted it."),
    "began_at": _moment(allow_null=True),
    "closed_at": _moment(allow_null=True),
    "duration_ms": _integer(allow_null=True),
    "attempts": _integer(),
    "failure": _text(help_text="Why it ended badly; of an open run, what it retries after."),
    "failure_kind": serializers.ChoiceField(
        choices=FAILURE_CHOICES,
        help_text="Of whom or what it failed, or is refused now: see docs/jobs.md.",
    ),
    "started_by": _text(),
    "worker": _text(),
    "build": _text(),
    "parent": _text(help_text="`key` of the run that started it."),
    "progress": serializers.DictField(allow_null=True, help_text="The last checkpoint."),
    "hold": serializers.DictField(
        allow_null=True, help_text="What its engine held it back for: `until` when, `reason`."
    ),
    "cleanup_at": _moment(allow_null=True),
    "cleaned_at": _moment(allow_null=True),
    "event_count": _integer(),
    "archive": serializers.ChoiceField(choices=ArchiveState.choices),
    "updated_at": _moment(help_text="When this row last changed; see `updated_since`."),
}


def _run_for_members(row: Row) -> Row:
    """Not which target it is, and of engines that name nodes of the platform not which one. Where
    runs lie by the target's own short name (Celery), the engine's name stands there."""
    target, engine = str(row["target"]), str(row["engine"])
    names_nodes = adapter_for(engine).features.workers_are_nodes
    own: dict[str, Any] = {"target": None, "worker": "" if names_nodes else row["worker"]}
    if row["location"] == target:
        own["location"] = engine
    begin = f"{engine}/{target}/"
    for name in ("key", "parent"):
        if str(row[name]).startswith(begin):
            own[name] = f"{engine}/{engine}/{str(row[name]).removeprefix(begin)}"
    return own


RUN = described(
    "JobRun",
    "One run of a job on one of the engines.",
    members_see=_run_for_members,
    **RUN_FIELDS,
)
RUN_DETAIL = described(
    "JobRunDetail",
    "One run, with what its starter said about it.",
    members_see=_run_for_members,
    **RUN_FIELDS,
    attributes=serializers.DictField(
        help_text="Search attributes, labels or headers. `situation`: how it is now, in one "
        "sentence. `start_heard`: an event said that it began, where an engine may lose them. "
        "`denials`: what was refused to it: count, first_at, last_at, and kind, by, "
        "words and amounts of the newest refusal."
    ),
    links=serializers.ListField(
        child=serializers.DictField(), help_text="What it has in common with others: kind, value."
    ),
)

EVENT_COLUMNS: Final = (
    "seq", "key", "at", "kind", "title", "step", "step_name", "attempt", "actor", "message",
    "detail",
)  # fmt: skip
EVENT = described(
    "JobEvent",
    "One thing that happened to a run. Secrets are masked, large payloads cut. Members of a tenant "
    "see no `actor`: it may be a node of a cluster, or somebody of the platform.",
    members_see=lambda _: {"actor": ""},
    seq=_integer(help_text="Order within the run."),
    key=_text(help_text="The engine's own name of it."),
    at=_moment(),
    kind=_text(),
    title=_text(),
    step=_text(),
    step_name=_text(),
    attempt=_integer(),
    actor=_text(),
    message=_text(),
    detail=serializers.DictField(),
)


def run_row(values: dict[str, Any]) -> Row:
    """A run's `values(*RUN_COLUMNS)` as `RUN` describes it."""
    return {_RENAMED.get(name, name): value for name, value in values.items()}
