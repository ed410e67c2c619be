"""What the page of a task's run says, from its events on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import time_machine
from django.test import Client

from console.access.models import Role, User
from console.clients.celery.records import CeleryEvent
from observability.engines.celery.runs import Fold
from observability.ingest.reading import Read
from observability.jobs.models import JobRun
from tenants.models import Target
from tests.observability.engines.celery.event_listener import Rows, event, received, sent
from tests.observability.jobs.factories import make_target
from tests.observability.jobs.fakes import ScriptedSource

pytestmark = pytest.mark.django_db
Show = Callable[..., str]


@pytest.fixture
def target(db: None) -> Target:
    """A Celery app."""
    return make_target("app", "celery")


@pytest.fixture
def show(source: ScriptedSource, read: Callable[[], Read], client: Client) -> Show:
    """Reads events of one task, and gives the page of its run as text."""
    client.force_login(User.objects.create_user("viewer", role=Role.VIEWER))

    def page(*events: CeleryEvent) -> str:
        source.pages = [Fold("sample").runs(events, Rows())]
        read()
        run = JobRun.objects.get()
        return " ".join(client.get(f"/jobs/{run.pk}/").content.decode().split())

    return page


@time_machine.travel("2026-11-18 11:08:00+00:00", tick=False)
def test_a_task_that_a_worker_holds_says_until_when(show: Show) -> None:
    eta = "2026-11-18T11:46:50.485319+00:00"
    content = show(sent(0, eta=eta), received(1, eta=eta))
    assert "Waits until 11:46 (ETA, held by w1@test)" in content
    assert "Due in 38 min 50 s, 2026-11-18 11:46:50 UTC." in content
    assert "Nothing has taken it up" not in content


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ([sent(0)], "No worker has said yet that it took it up."),
        ([sent(0), received(1)], "Worker w1@test has it, and has not started it yet."),
        (
            [
                received(1, name="celery.chord_unlock", retries=3999),
                event("task-retried", 2, exception="Retry('Retry in 1s')"),
            ],
            "Retried 4,000 times, last at 2026-11-18 11:06:42 UTC, as it waits for the other tasks"
            " of its chord.",
        ),
    ],
)
def test_of_a_task_that_waits_no_more_is_said_than_is_known(
    show: Show, events: list[CeleryEvent], sentence: str
) -> None:
    content = show(*events)
    assert sentence in content
    assert "Nothing has taken it up" not in content


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ([event("task-succeeded", 3, result="1")], "Its start was not heard."),
        (
            [event("task-succeeded", 3, result="1", runtime=90.5)],
            "Its start was not heard; it ran for 1 min 30 s.",
        ),
    ],
)
def test_a_task_whose_start_was_not_heard_says_so(
    show: Show, client: Client, events: list[CeleryEvent], sentence: str
) -> None:
    content = show(*events)
    assert sentence in content
    assert "(type not heard)" in content
    assert "Succeeded in" not in content
    listed = client.get("/jobs/").content.decode()
    assert "(type not heard)" in listed
    assert ">0 s<" not in listed


def test_of_a_task_of_which_only_its_name_was_not_heard_the_times_are_told(show: Show) -> None:
    content = show(event("task-started", 2), event("task-succeeded", 5, result="1", runtime=3.0))
    assert "(type not heard)" in content
    assert "start was not heard" not in content
    assert "Succeeded in" in content


def test_an_eta_of_another_zone_is_told_in_utc(show: Show) -> None:
    content = show(received(1, eta="2030-11-18T20:30:00+05:30"))
    assert "held until 2030-11-18T15:00:00+00:00" in content
    assert "20:30" not in content


def test_a_replaced_task_shows_both_names_and_is_found_by_both(show: Show, client: Client) -> None:
    content = show(
        received(1, name="flow.substitute"),
        event("task-started", 2),
        sent(3, name="flow.real", parent_id="u1"),
        received(4, name="flow.real", host="w2@test"),
        event("task-succeeded", 5, host="w2@test"),
    )
    assert '<h1 dir="auto">flow.substitute → flow.real</h1>' in content
    for words in ("substitute", "real", "flow.real"):
        assert "u1" in client.get("/jobs/", {"q": words}).content.decode()


def test_names_that_turn_text_round_are_shown_as_what_they_are(show: Show) -> None:
    content = show(received(1, host="celery@h%20\u202eevil🚀"), event("task-started", 2))
    assert "\u202e" not in content
    assert "celery@h%20⟨U+202E⟩evil🚀" in content


def test_a_rejected_task_says_that_it_was_rejected(show: Show) -> None:
    content = show(received(1), event("task-rejected", 2, requeue=False))
    assert "Rejected by the task: its message is not delivered again" in content
