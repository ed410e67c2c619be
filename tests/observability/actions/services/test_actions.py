"""One action on one run: written down before, tried once, written down after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.audit.models import Entry, Outcome
from console.audit.services import Actor
from console.errors import Conflict, DomainError, Refused, Throttled, Unreachable
from observability.actions.models import Action, ActionStatus
from observability.actions.services.actions import LEASE, ActionCommand, act, ask, carry_out
from observability.actions.services.recovery import settle_abandoned
from observability.engines.contracts import EventKind, Status
from observability.engines.verbs import ActionRequest, Answer, RunFacts
from observability.jobs.models import JobEvent, JobRun
from tests.observability.actions.fakes import FakeControls
from tests.observability.jobs.factories import make_run

CANCEL = ActionCommand("cancel", "it hangs")


def refused(run: JobRun, command: ActionCommand, actor: Actor) -> DomainError:
    """The refusal, after which nothing was written and nothing tried."""
    before = (Action.objects.count(), Entry.objects.count())
    with pytest.raises(DomainError) as caught:
        act(run=run, command=command, actor=actor)
    assert (Action.objects.count(), Entry.objects.count()) == before
    return caught.value


@pytest.mark.django_db(transaction=True)
def test_the_ledger_has_it_before_it_is_tried_and_after_it_was_answered(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    action = act(run=run, command=CANCEL, actor=olga)
    assert fake.ledger == [[("job.cancel.asked", "Asked, not tried yet.")]]
    assert fake.in_transaction == [False]
    assert action.status == ActionStatus.DONE
    entries = list(Entry.objects.order_by("id"))
    assert [entry.action for entry in entries] == ["job.cancel.asked", "job.cancel"]
    for entry in entries:
        assert entry.actor == "olga"
        assert entry.reason == "it hangs"
        assert entry.tenant == "acme"
        assert (entry.object_type, entry.object_id) == ("job", str(run.pk))
    assert entries[1].message == "The engine did it."


@pytest.mark.django_db(transaction=True)
def test_asking_inside_a_transaction_is_a_fault_of_ours_and_tries_nothing(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    from django.db import transaction

    with pytest.raises(RuntimeError), transaction.atomic():
        act(run=run, command=CANCEL, actor=olga)
    assert fake.requests == []


def test_the_engine_hears_who_it_is_why_and_under_which_id(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    action = act(run=run, command=CANCEL, actor=olga)
    request = fake.requests[0]
    assert request.id == action.uid
    assert request.identity == "headroom:olga"
    assert request.email == "olga@example.org"
    assert request.stated == "it hangs (by olga through Headroom)"


def test_the_trail_has_a_note_with_who_and_why_and_is_read_again(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    command = ActionCommand("signal", "approve it", {"name": "go", "input": '{"password": "x"}'})
    action = act(run=run, command=command, actor=olga)
    note = JobEvent.objects.get(run=run, kind=EventKind.NOTE)
    assert note.key == f"order:{action.pk}"
    assert note.actor == "olga"
    assert note.title == "Signal: done"
    assert "approve it" in note.message
    assert note.detail["arguments"] == {"name": "go", "input": "17 bytes"}
    run.refresh_from_db()
    assert run.history_due
    assert run.event_count == 1
    assert "password" not in str(list(Entry.objects.values_list("after", flat=True)))


@pytest.mark.parametrize(
    ("failure", "status", "outcome", "words"),
    [
        (Refused("no such signal"), "refused", Outcome.REFUSED, "no such signal"),
        (Conflict("ended already"), "refused", Outcome.REFUSED, "ended already"),
        (Throttled("slow down"), "failed", Outcome.FAILED, "slow down"),
        (
            Unreachable("away"),
            "failed",
            Outcome.FAILED,
            "not answer: away. It may have been carried",
        ),
        (ZeroDivisionError("bug"), "unknown", Outcome.FAILED, "carried out or not"),
    ],
)
def test_what_the_engine_says_is_the_outcome_in_its_own_words(
    run: JobRun,
    olga: Actor,
    fake: FakeControls,
    failure: Exception,
    status: str,
    outcome: str,
    words: str,
) -> None:
    fake.failure = failure
    action = act(run=run, command=CANCEL, actor=olga)
    assert action.status == status
    assert words in action.message
    entry = Entry.objects.order_by("id").last()
    assert entry is not None
    assert entry.outcome == outcome
    assert words in entry.message


def test_what_no_database_keeps_of_an_answer_does_not_leave_the_action_open(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    fake.meanwhile = lambda *_: Answer("done\0 \ud800", {"worker\0": ["a\0b"]})
    action = act(run=run, command=CANCEL, actor=olga)
    assert action.status == ActionStatus.DONE
    assert action.message == "done\ufffd \ufffd"
    assert action.result == {"worker\ufffd": ["a\ufffdb"]}


def test_no_reason_no_action(run: JobRun, olga: Actor, fake: FakeControls) -> None:
    assert refused(run, ActionCommand("cancel", "  "), olga).code == "reason_required"


def test_bad_arguments_are_refused_before_anything_is_written(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    error = refused(
        run, ActionCommand("reset", "try again", {"point": "event", "event": "x"}), olga
    )
    assert error.field == "arguments.event"
    assert "'x'" in error.message


def test_an_unknown_verb_is_refused_with_those_there_are(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    error = refused(run, ActionCommand("suspend", "why not"), olga)
    assert error.field == "verb"
    assert "cancel, terminate" in error.message


def test_what_is_destructive_asks_to_type_the_id(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    error = refused(run, ActionCommand("terminate", "stuck", confirm="invoice"), olga)
    assert (error.code, error.field) == ("confirm_required", "confirm")
    done = act(
        run=run, command=ActionCommand("terminate", "stuck", confirm="invoice-7"), actor=olga
    )
    assert done.status == ActionStatus.DONE


@pytest.mark.parametrize("typed", ["order7\u202e", "order 7⟨U+202E⟩"])
def test_an_id_that_no_field_can_hold_as_it_is_can_be_confirmed(
    olga: Actor, fake: FakeControls, typed: str
) -> None:
    run = make_run(status=Status.RUNNING, external_id=" order\n7\u202e ")
    assert (
        refused(run, ActionCommand("terminate", "stuck", confirm="order7"), olga).field == "confirm"
    )
    done = act(run=run, command=ActionCommand("terminate", "stuck", confirm=typed), actor=olga)
    assert done.status == ActionStatus.DONE


def test_a_run_that_has_ended_since_it_was_looked_at_is_a_conflict(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    JobRun.objects.filter(pk=run.pk).update(status=Status.FAILED)
    run.refresh_from_db()
    error = refused(run, ActionCommand("cancel", "it hangs", seen_status="running"), olga)
    assert (error.code, error.status) == ("run_changed", 409)
    assert "running when you looked and is failed now" in error.message
    assert refused(run, CANCEL, olga).code == "not_possible"


def test_two_at_once_one_gets_it_and_the_other_hears_who_was_first(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    second: list[DomainError] = []

    def somebody_else(_: RunFacts, __: ActionRequest) -> Answer | None:
        with pytest.raises(DomainError) as caught:
            act(run=run, command=CANCEL, actor=Actor.command("bob"))
        second.append(caught.value)
        return None

    fake.meanwhile = somebody_else
    assert act(run=run, command=CANCEL, actor=olga).status == ActionStatus.DONE
    assert (second[0].code, second[0].status) == ("order_under_way", 409)
    assert "olga asked for “Cancel”" in second[0].message
    assert Action.objects.count() == 1
    assert len(fake.requests) == 1


def test_a_run_that_ends_between_asking_and_doing_is_not_touched(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    action = ask(run=run, command=CANCEL, actor=olga, now=timezone.now())
    JobRun.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED)
    action = carry_out(action=action)
    assert action.status == ActionStatus.REFUSED
    assert "has ended: succeeded" in action.message
    assert fake.requests == []


def test_carrying_out_twice_does_it_once(run: JobRun, olga: Actor, fake: FakeControls) -> None:
    action = ask(run=run, command=CANCEL, actor=olga, now=timezone.now())
    carry_out(action=action)
    carry_out(action=action)
    assert len(fake.requests) == 1


def test_a_target_that_is_disabled_is_not_written_to(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    run.target.enabled = False
    run.target.save()
    assert "disabled" in refused(run, CANCEL, olga).message


class Crash(BaseException):
    """The process is gone: nothing after it runs."""


def crash(*_: Any) -> Answer | None:
    raise Crash


def test_a_crash_between_asking_and_the_answer_is_unknown_and_never_done_again(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    fake.meanwhile = crash
    with pytest.raises(Crash):
        act(run=run, command=CANCEL, actor=olga)
    action = Action.objects.get()
    assert action.status == ActionStatus.RUNNING
    assert settle_abandoned(timezone.now()) == 0
    assert settle_abandoned(timezone.now() + 2 * LEASE) == 1
    action.refresh_from_db()
    assert action.status == ActionStatus.UNKNOWN
    assert "carried out or not" in action.message
    assert len(fake.requests) == 1
    assert JobEvent.objects.get(run=run).title == "Cancel: unknown"
    last = Entry.objects.order_by("id").last()
    assert last is not None
    assert (last.action, last.outcome) == ("job.cancel", Outcome.FAILED)
    assert settle_abandoned(timezone.now() + 3 * LEASE) == 0
    fake.meanwhile = None
    assert act(run=run, command=CANCEL, actor=olga).status == ActionStatus.DONE


def test_what_was_never_tried_is_cancelled(run: JobRun, olga: Actor, fake: FakeControls) -> None:
    action = ask(run=run, command=CANCEL, actor=olga, now=timezone.now() - 2 * LEASE)
    assert settle_abandoned(timezone.now()) == 1
    action.refresh_from_db()
    assert action.status == ActionStatus.CANCELLED
    assert "nothing was done" in action.message
    assert fake.requests == []


def test_an_answer_that_comes_after_all_counts(
    run: JobRun, olga: Actor, fake: FakeControls
) -> None:
    def slowly(_: RunFacts, __: ActionRequest) -> Answer | None:
        settle_abandoned(timezone.now() + LEASE + timedelta(seconds=1))
        return None

    fake.meanwhile = slowly
    action = act(run=run, command=CANCEL, actor=olga)
    assert action.status == ActionStatus.DONE
    titles = JobEvent.objects.filter(run=run).order_by("id").values_list("title", flat=True)
    assert list(titles) == ["Cancel: unknown", "Cancel: done"]


def test_a_note_of_a_run_without_event_numbers_stands_where_it_happened(
    olga: Actor,
) -> None:
    from observability.engines.contracts import Engine
    from tests.observability.actions.fakes import controls
    from tests.observability.jobs.factories import make_target

    run = make_run(make_target("prod", "kubernetes"), status=Status.RUNNING)
    with controls(Engine.KUBERNETES):
        act(run=run, command=ActionCommand("suspend", "make room"), actor=olga)
    run.refresh_from_db()
    note = JobEvent.objects.get(run=run)
    assert note.seq == int(note.at.timestamp() * 1_000_000)
    assert not run.history_due
