"""What is possible: by status, by what the target has, by what was recorded."""

from __future__ import annotations

from typing import Any

import pytest

from observability.engines.catalogue import VERBS, find_verb
from observability.engines.celery.verbs import call_of
from observability.engines.contracts import MASK, Engine, Status
from observability.engines.registry import adapter_for
from observability.engines.verbs import Availability, Recorded, RunFacts
from tenants.contracts import TargetRef


def facts(engine: Engine, status: Status, **more: Any) -> RunFacts:
    return RunFacts(1, engine, "key", "job", "run", "place", "Type", status, **more)


def offered(
    engine: Engine, status: Status, options: dict[str, Any] | None = None, **more: Any
) -> dict[str, Availability]:
    target = TargetRef(1, "t", engine.value, "", "", options or {})
    verbs = adapter_for(engine).controls.verbs(run=facts(engine, status, **more), target=target)
    return {availability.verb.name: availability for availability in verbs}


def possible(engine: Engine, status: Status, **more: Any) -> set[str]:
    return {
        name
        for name, availability in offered(engine, status, **more).items()
        if not availability.why_not
    }


@pytest.mark.parametrize(
    ("engine", "status", "expected"),
    [
        (Engine.TEMPORAL, Status.RUNNING, {
            "cancel", "terminate", "reset", "signal", "pause_activity", "unpause_activity",
            "reset_activity", "set_priority"}),
        (Engine.TEMPORAL, Status.FAILED, {"reset"}),
        (Engine.TEMPORAL, Status.DELETED, set()),
        (Engine.ARGO, Status.RUNNING, {"stop", "terminate", "suspend"}),
        (Engine.ARGO, Status.PAUSED, {"stop", "terminate", "resume"}),
        (Engine.ARGO, Status.FAILED, {"resubmit"}),
        (Engine.KUBERNETES, Status.RUNNING, {"suspend", "delete"}),
        (Engine.KUBERNETES, Status.PAUSED, {"resume", "delete"}),
        (Engine.KUBERNETES, Status.SUCCEEDED, {"delete"}),
        (Engine.CELERY, Status.RUNNING, {"revoke", "revoke_terminate"}),
        (Engine.CELERY, Status.FAILED, set()),
    ],
)  # fmt: skip
def test_only_what_fits_the_status_is_possible(
    engine: Engine, status: Status, expected: set[str]
) -> None:
    assert possible(engine, status) == expected


def test_what_is_not_possible_says_why() -> None:
    for engine in Engine:
        for status in Status:
            for name, availability in offered(engine, status).items():
                if availability.why_not:
                    assert availability.why_not.endswith("."), (engine, status, name)
    assert "ended" in offered(Engine.TEMPORAL, Status.FAILED)["cancel"].why_not
    assert "not ended" in offered(Engine.ARGO, Status.RUNNING)["resubmit"].why_not


def test_what_only_the_argo_server_does_is_hidden_where_there_is_none() -> None:
    without = offered(Engine.ARGO, Status.FAILED)
    assert without["retry"].hidden
    assert "argo_server" in without["retry"].why_not
    with_one = offered(Engine.ARGO, Status.FAILED, {"argo_server": "https://argo:2746"})
    assert not with_one["retry"].why_not
    assert not with_one["resubmit_memoized"].why_not


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ("(1, 'a')", "{'b': [True, None]}", ""),
        ("[]", "{}", ""),
        ("(1, 'a...", "{}", "cut"),
        ("(<Invoice 7>,)", "{}", "plain values"),
        (f"('{MASK}',)", "{}", "masked"),
        ("", "", "did not contain the arguments"),
        ("__import__('os').system('true')", "{}", "plain values"),
        ("(1,)", "{1: 2}", "plain values"),
    ],
)
def test_a_task_is_sent_again_only_with_what_was_recorded_as_a_whole(
    args: str, kwargs: str, reason: str
) -> None:
    recorded = Recorded("tasks.add", args, kwargs)
    fault = call_of(recorded)[3]
    assert (reason in fault) if reason else fault == ""
    retry = offered(Engine.CELERY, Status.FAILED, recorded=recorded, queue="acme")["retry"]
    assert bool(retry.why_not) == bool(reason)


def test_a_task_whose_queue_nobody_saw_is_not_sent_anywhere() -> None:
    recorded = Recorded("tasks.add", "(1,)", "{}")
    assert "queue" in offered(Engine.CELERY, Status.FAILED, recorded=recorded)["retry"].why_not


def test_the_recorded_call_is_read_back_as_it_was() -> None:
    recorded = Recorded("tasks.add", "(1, 'x')", "{'k': {'a': [1.5]}}")
    assert call_of(recorded) == ("tasks.add", [1, "x"], {"k": {"a": [1.5]}}, "")


def test_verbs_are_named_once_and_say_what_happens() -> None:
    assert len({(verb.engine, verb.name) for verb in VERBS}) == len(VERBS)
    for verb in VERBS:
        assert verb.effect
        assert all(line.endswith(".") for line in verb.effect), verb.name
        assert verb.statuses
    assert find_verb(Engine.ARGO, "nonsense") is None
