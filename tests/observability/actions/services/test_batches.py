"""Many runs: counted first, done at a rate, stopped, taken up again after a crash."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.utils import timezone

from console.audit.models import Entry
from console.audit.services import Actor
from console.errors import DomainError, NotFound
from observability.actions.models import Action, ActionItem, ActionStatus, ItemStatus
from observability.actions.services.actions import LEASE
from observability.actions.services.batch_worker import run_batch
from observability.actions.services.batches import WORK, ask_batch, stop
from observability.actions.services.previews import BatchCommand, preview_batch
from observability.actions.services.recovery import resume_batches, settle_abandoned
from observability.engines.contracts import Status
from observability.engines.verbs import ActionRequest, Answer, RunFacts, RunFound
from observability.jobs.models import JobEvent, JobRun
from tests.observability.actions.fakes import FakeControls
from tests.observability.jobs.factories import make_run, make_target, make_tenant

QUERY = "WorkflowType='InvoiceFlow'"


@pytest.fixture
def runs(db: None) -> list[JobRun]:
    """Six open runs of two tenants and two that have ended."""
    acme, globex = make_tenant("acme"), make_tenant("globex")
    made = [make_run(status=Status.RUNNING, tenant=acme) for _ in range(4)]
    made += [make_run(status=Status.RUNNING, tenant=globex) for _ in range(2)]
    return made + [make_run(status=Status.FAILED, tenant=acme) for _ in range(2)]


def command(runs: list[JobRun], **more: Any) -> BatchCommand:
    fields: dict[str, Any] = {
        "engine": "temporal",
        "verb": "cancel",
        "ids": tuple(run.pk for run in runs),
        "reason": "wrong input",
        "rate": 50,
    }
    return BatchCommand(**(fields | more))


def test_the_dry_count_says_how_many_whose_and_why_not_and_writes_nothing(
    runs: list[JobRun], fake: FakeControls
) -> None:
    preview = preview_batch(command(runs, rate=3), now=timezone.now())
    assert (preview.total, preview.fitting, preview.seconds) == (8, 6, 2.0)
    assert preview.tenants == {"acme": 4, "globex": 2}
    assert preview.why == {"The run has ended: failed.": 2}
    assert len(preview.sample) == 6
    assert Action.objects.count() == Entry.objects.count() == 0


def test_a_batch_goes_over_what_the_search_finds(
    runs: list[JobRun], olga: Actor, fake: FakeControls, enqueued: list[Any]
) -> None:
    action = ask_batch(
        command=command([], query="tenant:acme status:running", expected=4), actor=olga
    )
    assert enqueued == [(WORK, action.pk)]
    entry = Entry.objects.get()
    assert entry.action == "job.cancel.asked"
    assert (entry.object_type, entry.object_id) == ("action", str(action.pk))
    assert entry.after
    assert entry.after["runs"] == 4
    assert not run_batch(action_id=action.pk)
    action.refresh_from_db()
    assert (action.status, action.done, action.bad) == (ActionStatus.DONE, 4, 0)
    assert action.message == "4 done."
    assert {request.operator for request in fake.requests} == {"olga"}
    assert len({request.id for request in fake.requests}) == 4
    assert {run.external_id for run in fake.runs} == {run.external_id for run in runs[:4]}


def test_every_run_has_its_outcome_in_the_ledger_and_in_its_trail(
    runs: list[JobRun], olga: Actor, fake: FakeControls, enqueued: list[Any]
) -> None:
    def one_is_gone(run: RunFacts, _: ActionRequest) -> Answer | None:
        if run.id == runs[1].pk:
            raise NotFound("no such workflow")
        return None

    fake.meanwhile = one_is_gone
    action = ask_batch(command=command(runs[:3]), actor=olga)
    run_batch(action_id=action.pk)
    action.refresh_from_db()
    assert (action.status, action.done, action.bad) == (ActionStatus.DONE, 2, 1)
    entries = Entry.objects.filter(object_type="job").order_by("id")
    assert sorted(entry.outcome for entry in entries) == ["done", "done", "refused"]
    assert {entry.actor for entry in entries} == {"olga"}
    assert JobEvent.objects.get(run=runs[0]).actor == "olga"
    assert JobEvent.objects.get(run=runs[1]).title == "Cancel: refused"
    assert "no such workflow" in ActionItem.objects.get(run=runs[1]).message


def test_a_run_that_ends_meanwhile_is_not_touched(
    runs: list[JobRun], olga: Actor, fake: FakeControls, enqueued: list[Any]
) -> None:
    action = ask_batch(command=command(runs[:2]), actor=olga)
    JobRun.objects.filter(pk=runs[0].pk).update(status=Status.SUCCEEDED)
    run_batch(action_id=action.pk)
    item = ActionItem.objects.get(run=runs[0])
    assert item.status == ItemStatus.REFUSED
    assert [run.id for run in fake.runs] == [runs[1].pk]


def test_it_keeps_to_its_rate(
    runs: list[JobRun], olga: Actor, fake: FakeControls, enqueued: list[Any]
) -> None:
    action = ask_batch(command=command(runs[:6], rate=10), actor=olga)
    began = time.monotonic()
    run_batch(action_id=action.pk)
    assert time.monotonic() - began >= 0.5


def test_it_is_done_in_chunks_and_one_worker_at_a_time(
    runs: list[JobRun], olga: Actor, fake: FakeControls, enqueued: list[Any]
) -> None:
    action = ask_batch(command=command(runs[:6], rate=50), actor=olga)
    second: list[bool] = []

    def somebody_else(*_: Any) -> Answer | None:
        second.append(run_batch(action_id=action.pk))
        return None

    fake.meanwhile = somebody_else
    # clock: a part takes longer than that by its rate
    assert run_batch(action_id=action.pk, seconds=0.01)
    done = len(fake.requests)
    assert 0 < done < 6
    assert second == [False] * done
    fake.meanwhile = None
    while run_batch(action_id=action.pk, seconds=0.01):  # clock: likewise
        pass
    assert len(fake.requests) == 6
    action.refresh_from_db()
    assert action.status == ActionStatus.DONE


def test_stopping_leaves_the_rest_alone_and_says_who_stopped_it(
    runs: list[JobRun], olga: Actor, fake: FakeControls, enqueued: list[Any]
) -> None:
    action = ask_batch(command=command(runs[:6]), actor=olga)

    def after_two(*_: Any) -> Answer | None:
        if len(fake.requests) == 2:
            stop(action=action, actor=Actor.command("bob"), reason="enough", now=timezone.now())
        return None

    fake.meanwhile = after_two
    run_batch(action_id=action.pk)
    action.refresh_from_db()
    assert action.status == ActionStatus.CANCELLED
    assert action.message == "2 done, 4 not tried: stopped by bob."
    assert len(fake.requests) == 2
    assert Entry.objects.filter(action="job.cancel.stop", reason="enough").exists()
    with pytest.raises(DomainError) as caught:
        stop(action=action, actor=olga, reason="again", now=timezone.now())
    assert caught.value.status == 409


class Crash(BaseException):
    """The process is gone."""


def test_after_a_crash_the_rest_is_done_and_the_one_in_between_is_unknown(
    runs: list[JobRun], olga: Actor, fake: FakeControls, enqueued: list[Any]
) -> None:
    action = ask_batch(command=command(runs[:4]), actor=olga)

    def dies(*_: Any) -> Answer | None:
        if len(fake.requests) == 2:
            raise Crash
        return None

    fake.meanwhile = dies
    with pytest.raises(Crash):
        run_batch(action_id=action.pk)
    # A killed process gives nothing back.
    Action.objects.filter(pk=action.pk).update(claim="dead", claimed_until=timezone.now() + LEASE)
    fake.meanwhile = None
    assert not run_batch(action_id=action.pk)
    assert resume_batches(timezone.now()) == 0
    assert settle_abandoned(timezone.now() + 2 * LEASE) == 0
    enqueued.clear()
    assert resume_batches(timezone.now() + 2 * LEASE) == 1
    assert enqueued == [(WORK, action.pk)]
    Action.objects.filter(pk=action.pk).update(claimed_until=timezone.now() - LEASE)
    assert not run_batch(action_id=action.pk)
    action.refresh_from_db()
    assert (action.status, action.done, action.bad) == (ActionStatus.DONE, 3, 1)
    assert len(fake.requests) == 4
    assert ActionItem.objects.get(status=ItemStatus.UNKNOWN).run is not None


@pytest.mark.parametrize(
    ("more", "field", "words"),
    [
        ({"rate": 0}, "rate", "1 to 50"),
        ({"rate": 51}, "rate", "1 to 50"),
        ({"verb": "pause_activity"}, "verb", "one run at a time"),
        ({"ids": (), "query": " "}, "query", "every run"),
        ({"ids": (), "query": "colour:red"}, "q", "no filter"),
        ({"ids": (), "target": "nowhere", "query": QUERY}, "target", "'nowhere'"),
        ({"ids": (), "target": "engine", "query": ""}, "query", "every run"),
        ({"target": "engine", "query": QUERY}, "ids", "send one of both"),
        ({"ids": (), "target": "engine", "query": QUERY, "verb": "reset",
          "arguments": {"point": "event", "event": 4}}, "arguments.point", "first or last"),
        ({"verb": "terminate", "confirm": "7"}, "confirm", "type 6"),
        ({"reason": ""}, "reason", "why"),
        ({"expected": 5}, "", "about 5 runs when you looked and is about 6"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_written(
    runs: list[JobRun],
    olga: Actor,
    fake: FakeControls,
    enqueued: list[Any],
    more: dict[str, Any],
    field: str,
    words: str,
) -> None:
    with pytest.raises(DomainError) as caught:
        ask_batch(command=command(runs, **more), actor=olga)
    assert caught.value.field == field
    assert words in caught.value.message
    assert Action.objects.count() == Entry.objects.count() == 0
    assert enqueued == []


def test_nothing_found_is_nothing_done(
    runs: list[JobRun], olga: Actor, fake: FakeControls, enqueued: list[Any]
) -> None:
    with pytest.raises(DomainError) as caught:
        ask_batch(command=command(runs[6:]), actor=olga)
    assert caught.value.code == "nothing_found"


# -- runs that a query of the engine's own finds -------------------------------------------------


def test_what_the_engine_finds_is_done_one_by_one_whether_we_know_it_or_not(
    run: JobRun, olga: Actor, fake: FakeControls, enqueued: list[Any]
) -> None:
    fake.query_runs = [
        RunFound(run.external_id, run.run_id, "InvoiceFlow", True, "running", "acme"),
        RunFound("not-known-here", "r", "InvoiceFlow", True, "running", ""),
        RunFound("over", "r", "InvoiceFlow", False, "completed", ""),
    ]
    make_target()
    # The engine knows better: our row is late.
    JobRun.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED)
    terminate = command([], target="engine", query=QUERY, verb="terminate", confirm="2")
    preview = preview_batch(terminate, now=timezone.now())
    assert (preview.total, preview.fitting, preview.tenants) == (3, 2, {"acme": 1, "": 1})
    assert preview.why == {"The run has ended: completed.": 1}
    action = ask_batch(command=terminate, actor=olga)
    assert not run_batch(action_id=action.pk)
    action.refresh_from_db()
    assert (action.status, action.done) == (ActionStatus.DONE, 2)
    done = [(facts.external_id, facts.run_id) for facts in fake.runs]
    assert done == [(run.external_id, run.run_id), ("not-known-here", "r")]
    entries = Entry.objects.order_by("id").values_list("action", "actor", "object_label")
    assert list(entries) == [
        ("job.terminate.asked", "olga", "2 runs"),
        ("job.terminate", "olga", run.external_id),
        ("job.terminate", "olga", "not-known-here"),
        ("job.terminate", "olga", "2 runs"),
    ]
    assert JobEvent.objects.get(run=run).actor == "olga"
