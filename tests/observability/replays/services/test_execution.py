"""Replaying many runs: resumable, stoppable, and honest about what it could not do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.audit.services import Actor
from console.errors import DomainError, Unreachable
from observability.jobs.models import JobRun
from observability.replays.models import (
    Replay,
    ReplayResult,
    ReplayState,
    ResultVerdict,
    WorkflowBundle,
)
from observability.replays.selectors import progress_of
from observability.replays.services import bundles, execution, replays
from tests.observability.jobs.factories import make_run, make_target

Register = Callable[[str], WorkflowBundle]
pytestmark = [pytest.mark.django_db, pytest.mark.temporal]


def ask(bundle: WorkflowBundle, actor: Actor, count: int = 3) -> Replay:
    runs = [make_run(type="Invoice") for _ in range(count)]
    return replays.ask(bundle=bundle, runs=runs, selection="some", actor=actor)


def verdicts(replay: Replay) -> list[str]:
    return list(replay.results.order_by("id").values_list("verdict", flat=True))


def test_the_code_that_ran_them_replays_them_all(
    registered: Register, admin: Actor, histories: dict[int, object]
) -> None:
    replay = ask(registered("invoice_v1"), admin)
    assert execution.run(replay.pk, seconds=60) is False
    replay.refresh_from_db()
    assert verdicts(replay) == [ResultVerdict.DETERMINISTIC] * 3
    assert replay.state == ReplayState.DONE
    assert replay.finished_at


def test_a_divergence_names_the_event_and_what_the_code_would_do(
    registered: Register, admin: Actor, histories: dict[int, object]
) -> None:
    replay = ask(registered("invoice_v2"), admin, count=1)
    execution.run(replay.pk, seconds=60)
    result = replay.results.get()
    assert result.verdict == ResultVerdict.DIVERGED
    assert result.event_type == "ActivityTaskScheduled"
    assert result.expected == "schedule activity do (id receipt)"
    assert result.actual == "schedule activity do (id e-mail)"


def test_one_bad_history_says_nothing_about_the_others(
    registered: Register, admin: Actor, histories: dict[int, object]
) -> None:
    replay = ask(registered("invoice_v1"), admin)
    first, second, _ = replay.results.order_by("id")
    histories[first.run_id] = b""
    histories[second.run_id] = DomainError("no_history", "Gone from the engine.")
    execution.run(replay.pk, seconds=60)
    assert verdicts(replay) == [
        ResultVerdict.MALFORMED,
        ResultVerdict.NO_HISTORY,
        ResultVerdict.DETERMINISTIC,
    ]


def test_an_archive_that_is_away_leaves_the_rest_for_later(
    registered: Register, admin: Actor, histories: dict[int, object]
) -> None:
    replay = ask(registered("invoice_v1"), admin, count=2)
    away = replay.results.order_by("id")[0].run_id
    histories[away] = Unreachable("the object store does not answer")
    assert execution.run(replay.pk, seconds=60) is True
    assert verdicts(replay) == [ResultVerdict.NONE, ResultVerdict.DETERMINISTIC]
    del histories[away]
    assert execution.run(replay.pk, seconds=60) is False
    assert verdicts(replay) == [ResultVerdict.DETERMINISTIC] * 2


def test_an_archive_that_stays_away_is_asked_again_later_and_not_at_once(
    registered: Register, admin: Actor, histories: dict[int, object]
) -> None:
    replay = ask(registered("invoice_v1"), admin, count=2)
    histories.update(
        {result.run_id: Unreachable("no object store") for result in replay.results.all()}
    )
    assert execution.run(replay.pk, seconds=60) is False
    replay.refresh_from_db()
    assert replay.is_open
    assert replay in Replay.objects.unfinished().unclaimed(now=timezone.now())


def test_a_replay_that_another_worker_took_over_is_not_ended_by_the_slow_one(
    registered: Register,
    admin: Actor,
    histories: dict[int, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replay = ask(registered("invoice_v1"), admin, count=2)
    replayed = execution.replay_one

    def slow(*args: Any) -> Any:
        until = timezone.now() + timedelta(minutes=1)
        Replay.objects.filter(pk=replay.pk).update(claim="another", claimed_until=until)
        return replayed(*args)

    monkeypatch.setattr(execution, "replay_one", slow)
    assert execution.run(replay.pk, seconds=60) is False
    replay.refresh_from_db()
    assert replay.is_open
    assert replay.claim == "another"


def test_runs_that_retention_removes_meanwhile_are_told_apart_from_bad_ones(
    registered: Register, admin: Actor, histories: dict[int, object]
) -> None:
    replay = ask(registered("invoice_v1"), admin, count=3)
    first, second, _ = replay.results.order_by("id")
    histories[first.run_id] = b""
    JobRun.objects.filter(pk=second.run_id).delete()
    execution.run(replay.pk, seconds=60)
    replay.refresh_from_db()
    (progress,) = progress_of([replay])
    assert replay.state == ReplayState.DONE
    assert (progress.good, progress.bad, progress.gone, progress.percent) == (1, 1, 1, 100)


def test_a_bundle_that_is_retired_meanwhile_still_ends_what_was_asked(
    registered: Register, admin: Actor, histories: dict[int, object]
) -> None:
    bundle = registered("invoice_v1")
    replay = ask(bundle, admin, count=1)
    bundles.retire(bundle=bundle, actor=admin, reason="replaced")
    assert execution.run(replay.pk, seconds=60) is False
    assert verdicts(replay) == [ResultVerdict.DETERMINISTIC]


def test_a_worker_that_died_leaves_its_replay_to_the_next(
    registered: Register, admin: Actor, histories: dict[int, object]
) -> None:
    replay = ask(registered("invoice_v1"), admin, count=2)
    done = replay.results.order_by("id")[0]
    ReplayResult.objects.filter(pk=done.pk).update(verdict=ResultVerdict.DIVERGED)
    now = timezone.now()
    Replay.objects.filter(pk=replay.pk).update(
        claim="dead", claimed_until=now + timedelta(minutes=1), state=ReplayState.RUNNING
    )
    assert execution.run(replay.pk, seconds=60) is False
    assert verdicts(replay)[1] == ResultVerdict.NONE
    Replay.objects.filter(pk=replay.pk).update(claimed_until=now - timedelta(seconds=1))
    assert replay in Replay.objects.unfinished().unclaimed(now=timezone.now())
    assert execution.run(replay.pk, seconds=60) is False
    assert verdicts(replay) == [ResultVerdict.DIVERGED, ResultVerdict.DETERMINISTIC]


def test_time_that_runs_out_is_gone_on_with(
    registered: Register, admin: Actor, histories: dict[int, object]
) -> None:
    replay = ask(registered("invoice_v1"), admin, count=2)
    assert execution.run(replay.pk, seconds=-1) is True
    assert Replay.objects.unfinished().unclaimed(now=timezone.now()).filter(pk=replay.pk).exists()
    assert execution.run(replay.pk, seconds=60) is False


def test_a_stopped_replay_does_nothing_more(
    registered: Register, admin: Actor, histories: dict[int, object]
) -> None:
    replay = ask(registered("invoice_v1"), admin)
    assert replays.stop(replay=replay, actor=admin) is True
    assert replays.stop(replay=replay, actor=admin) is False
    assert execution.run(replay.pk, seconds=60) is False
    assert verdicts(replay) == [ResultVerdict.NONE] * 3


def test_a_bundle_that_cannot_be_opened_any_more_fails_the_replay_with_its_reason(
    registered: Register,
    admin: Actor,
    histories: dict[int, object],
    settings: pytest.FixtureRequest,
) -> None:
    replay = ask(registered("invoice_v1"), admin)
    settings.REPLAY_BUNDLES = "/nowhere"  # type: ignore[attr-defined]  # pytest-django's settings
    assert execution.run(replay.pk, seconds=60) is False
    replay.refresh_from_db()
    assert replay.state == ReplayState.FAILED
    assert "register a new version" in replay.message


def test_only_temporal_runs_and_usable_bundles_are_taken(
    registered: Register, admin: Actor
) -> None:
    bundle = registered("invoice_v1")
    job = make_run(make_target("cluster", "kubernetes"))
    refusals = {}
    for name, runs in {"none": [], "kubernetes": [job]}.items():
        with pytest.raises(DomainError) as refused:
            replays.ask(bundle=bundle, runs=runs, selection="x", actor=admin)
        refusals[name] = refused.value.code
    assert refusals == {"none": "nothing_to_replay", "kubernetes": "not_replayable"}
    bundles.retire(bundle=bundle, actor=admin, reason="replaced")
    bundle.refresh_from_db()
    with pytest.raises(DomainError, match="retired"):
        replays.ask(bundle=bundle, runs=[make_run()], selection="x", actor=admin)
