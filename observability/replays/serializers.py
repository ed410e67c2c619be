"""Bundles, replays and results as JSON."""

from __future__ import annotations

from rest_framework import serializers

from console.rest.fields import Id, ListOf, Number, Reason, Text
from console.rest.serializers import Body, described
from console.rest.views import Row
from observability.replays.models import BundleKind, ReplayResult, ReplayState, ResultVerdict
from observability.replays.models import WorkflowBundle as _Bundle
from observability.replays.selectors import ReplayProgress

BUNDLE = described(
    "WorkflowBundle",
    "One version of workflow code that histories can be replayed against.",
    id=serializers.IntegerField(),
    name=serializers.CharField(),
    version=serializers.CharField(),
    kind=serializers.ChoiceField(choices=BundleKind.choices),
    modules=serializers.ListField(child=serializers.CharField()),
    workflows=serializers.ListField(child=serializers.CharField()),
    sha256=serializers.CharField(allow_blank=True),
    isolated=serializers.BooleanField(help_text="Imported without a network."),
    confined=serializers.BooleanField(help_text="Imported without any file but its own."),
    created_at=serializers.DateTimeField(),
    retired_at=serializers.DateTimeField(allow_null=True),
)


class NewWorkflowBundle(Body):
    """Code below the server's bundle directory, NAME/VERSION, or on its import path."""

    name = Text()
    version = Text()
    modules = ListOf(child=Text())
    reason = Reason()


REPLAY = described(
    "Replay",
    "Some runs replayed against one bundle. Poll until `finished_at` is set.",
    id=serializers.IntegerField(),
    bundle=serializers.CharField(help_text="name@version"),
    selection=serializers.CharField(),
    state=serializers.ChoiceField(choices=ReplayState.choices),
    total=serializers.IntegerField(),
    done=serializers.IntegerField(),
    verdicts=serializers.DictField(child=serializers.IntegerField()),
    message=serializers.CharField(allow_blank=True),
    isolated=serializers.BooleanField(allow_null=True, help_text="Ran without a network."),
    confined=serializers.BooleanField(
        allow_null=True, help_text="Ran without any file but its own."
    ),
    actor=serializers.CharField(),
    created_at=serializers.DateTimeField(),
    started_at=serializers.DateTimeField(allow_null=True),
    finished_at=serializers.DateTimeField(allow_null=True),
)


class NewRunReplay(Body):
    """One run."""

    bundle = Text(help_text="name@version")


class NewReplay(NewRunReplay):
    """Which runs: `runs` by id, or the newest `last` that `query` finds."""

    runs = ListOf(child=Id(), default=None, allow_null=True)
    query = Text(default="", help_text="As in the search of the jobs.")
    last = Number(default=500)


RESULT = described(
    "ReplayResult",
    "How one run replayed; for a divergence, the first event that differs. Members of a tenant see "
    "whether and where it did, nothing of the code.",
    members_see=lambda _: {"bundle": "", "actual": "", "message": ""},
    run=serializers.IntegerField(),
    replay=serializers.IntegerField(),
    bundle=serializers.CharField(),
    external_id=serializers.CharField(),
    verdict=serializers.ChoiceField(choices=ResultVerdict.choices, allow_blank=True),
    event_id=serializers.IntegerField(help_text="0 is behind the last event, or none."),
    event_type=serializers.CharField(allow_blank=True),
    expected=serializers.CharField(allow_blank=True, help_text="What the history has there."),
    actual=serializers.CharField(allow_blank=True, help_text="What the code would do there."),
    message=serializers.CharField(allow_blank=True),
    milliseconds=serializers.IntegerField(),
    at=serializers.DateTimeField(allow_null=True),
)


def bundle_row(bundle: _Bundle) -> Row:
    """A bundle."""
    return {
        "id": bundle.pk,
        "name": bundle.name,
        "version": bundle.version,
        "kind": bundle.kind,
        "modules": bundle.modules,
        "workflows": bundle.workflows,
        "sha256": bundle.sha256,
        "isolated": bundle.isolated,
        "confined": bundle.confined,
        "created_at": bundle.created_at,
        "retired_at": bundle.retired_at,
    }


def replay_row(progress: ReplayProgress) -> Row:
    """A replay; its bundle is loaded."""
    replay = progress.replay
    return {
        "id": replay.pk,
        "bundle": str(replay.bundle),
        "selection": replay.selection,
        "state": replay.state,
        "total": replay.total,
        "done": progress.done,
        "verdicts": {verdict: count for verdict, _, count in progress.counts if verdict},
        "message": replay.message,
        "isolated": replay.isolated,
        "confined": replay.confined,
        "actor": replay.actor,
        "created_at": replay.created_at,
        "started_at": replay.started_at,
        "finished_at": replay.finished_at,
    }


def result_row(result: ReplayResult) -> Row:
    """A result; its run and its replay's bundle are loaded."""
    return {
        "run": result.run_id,
        "replay": result.replay_id,
        "bundle": str(result.replay.bundle),
        "external_id": result.run.external_id,
        "verdict": result.verdict,
        "event_id": result.event_id,
        "event_type": result.event_type,
        "expected": result.expected,
        "actual": result.actual,
        "message": result.message,
        "milliseconds": result.milliseconds,
        "at": result.at,
    }
