"""Actions over REST: rights, answers, problems that name field, value and what is right."""

from __future__ import annotations

from typing import Any

import pytest

from console.access.models import Role
from console.audit.models import Entry
from console.errors import Refused
from observability.actions.models import Action
from observability.actions.services.batch_worker import run_batch
from observability.engines.contracts import Status
from observability.jobs.models import JobRun
from tenants.models import Membership
from tests.observability.actions.fakes import FakeControls
from tests.observability.jobs.factories import make_run, make_tenant
from tests.rest import Rest

CANCEL = {"verb": "cancel", "reason": "it hangs"}


@pytest.fixture
def rest(db: None) -> Rest:
    return Rest(Role.OPERATOR)


@pytest.fixture
def member(run: JobRun) -> Rest:
    """Somebody of acme, whose run it is."""
    made = Rest(Role.NOBODY, "mia")
    Membership.objects.create(tenant=make_tenant("acme"), user=made.user)
    return made


@pytest.fixture
def outsider(db: None) -> Rest:
    """Somebody of another tenant."""
    made = Rest(Role.NOBODY, "otto")
    Membership.objects.create(tenant=make_tenant("globex"), user=made.user)
    return made


def test_an_operator_acts_and_gets_the_engines_answer(
    run: JobRun, rest: Rest, fake: FakeControls
) -> None:
    answer = rest.post(f"jobs/{run.pk}/actions/", CANCEL)
    assert answer.status_code == 200
    row = answer.json()
    assert (row["status"], row["message"]) == ("done", "The engine did it.")
    assert answer["Location"] == f"/api/v1/actions/{row['id']}/"
    assert rest.get(f"actions/{row['id']}/").json() == row
    listed = rest.get("actions/", tenant="acme").json()["results"]
    assert [action["id"] for action in listed] == [row["id"]]
    assert rest.get("actions/", tenant="globex").json()["results"] == []
    panel = rest.get(f"jobs/{run.pk}/actions/").json()
    assert [action["id"] for action in panel["orders"]] == [row["id"]]
    offers = {offer["verb"]: offer for offer in panel["possible"]}
    assert offers["terminate"]["destructive"]
    assert offers["reset"]["arguments"][0]["choices"] == ["first", "last", "event"]
    assert Entry.objects.get(action="job.cancel").actor == "rest-operator/test"


def test_the_same_key_acts_once(run: JobRun, rest: Rest, fake: FakeControls) -> None:
    path = f"jobs/{run.pk}/actions/"
    first = rest.post(path, CANCEL, Idempotency_Key="k1")
    again = rest.post(path, CANCEL, Idempotency_Key="k1")
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert len(fake.requests) == 1


def test_what_the_engine_refuses_is_an_answer_in_its_words(
    run: JobRun, rest: Rest, fake: FakeControls
) -> None:
    fake.failure = Refused("not today")
    row = rest.post(f"jobs/{run.pk}/actions/", CANCEL).json()
    assert (row["status"], row["not_done"]) == ("refused", 1)
    assert "not today" in row["message"]


def test_json_is_meant_as_it_is(run: JobRun, rest: Rest, fake: FakeControls) -> None:
    body = {"verb": "signal", "reason": "go on", "arguments": {"name": "go", "input": "a text"}}
    assert rest.post(f"jobs/{run.pk}/actions/", body).json()["status"] == "done"
    assert fake.requests[0].arguments == {"name": "go", "input": '"a text"'}


@pytest.mark.parametrize(
    "written",
    [
        "0.10000000000000000001",
        "12345678901234567890.5",
        "1.50",
        "1180591620717411303425",
        '{"ratio": 0.30000000000000000004, "of": [1E+2, "é", null, true]}',
    ],
)
def test_numbers_go_to_the_engine_digit_by_digit(
    run: JobRun, rest: Rest, fake: FakeControls, written: str
) -> None:
    arguments = f'{{"name": "go", "input": {written}}}'
    body = f'{{"verb": "signal", "reason": "go on", "arguments": {arguments}}}'
    answer = rest.client.generic(
        "POST", f"/api/v1/jobs/{run.pk}/actions/", body, content_type="application/json"
    )
    assert answer.json()["status"] == "done"
    assert fake.requests[0].arguments["input"] == written
    assert rest.get(f"jobs/{run.pk}/actions/").status_code == 200


@pytest.mark.parametrize("rate", [0.10000000000000000001, 12345678901234567890.5])
def test_a_number_where_none_belongs_is_refused(
    run: JobRun, rest: Rest, fake: FakeControls, rate: float
) -> None:
    for body in (
        {**CANCEL, "verb": rate}, {**CANCEL, "reason": rate}, {**CANCEL, "confirm": rate},
        {**CANCEL, "arguments": {"name": rate}}, {**CANCEL, "arguments": rate},
    ):  # fmt: skip
        answer = rest.post(f"jobs/{run.pk}/actions/", body)
        assert answer.status_code == 422, answer.content
    batch = {"engine": "temporal", "verb": "cancel", "query": "x", "rate": rate, "dry_run": True}
    assert rest.post("actions/batch/", batch).status_code == 422
    assert fake.requests == []


@pytest.mark.parametrize(
    ("body", "status", "field", "words"),
    [
        ({"verb": "cancel"}, 422, "reason", "why"),
        ({"verb": "explode", "reason": "because"}, 422, "verb", "use cancel, terminate"),
        ({"verb": 5, "reason": "because"}, 422, "verb", "use a text"),
        ({**CANCEL, "colour": "red"}, 422, "colour", "use verb, reason"),
        ({"verb": "reset", "reason": "because", "arguments": {"point": "event", "event": "x"}},
         422, "arguments.event", "'x' is not accepted; use a whole number"),
        ({"verb": "reset", "reason": "because", "arguments": []}, 422, "arguments", "an object"),
        ({"verb": "terminate", "reason": "because"}, 422, "confirm", "type invoice-7"),
        ({**CANCEL, "seen_status": "waiting"}, 409, None, "waiting when you looked"),
    ],
)  # fmt: skip
def test_a_bad_request_names_field_value_and_what_is_right(
    run: JobRun,
    rest: Rest,
    fake: FakeControls,
    body: dict[str, Any],
    status: int,
    field: str | None,
    words: str,
) -> None:
    answer = rest.post(f"jobs/{run.pk}/actions/", body)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem.get("field") == field
    assert words in problem["detail"]
    assert fake.requests == []
    assert Action.objects.count() == 0


def test_a_run_that_has_ended_is_a_conflict(rest: Rest, fake: FakeControls) -> None:
    ended = make_run(status=Status.FAILED)
    answer = rest.post(f"jobs/{ended.pk}/actions/", CANCEL)
    assert answer.status_code == 409
    assert answer.json()["code"] == "not_possible"
    assert "ended" in answer.json()["detail"]


def test_members_see_what_was_done_to_their_runs_and_may_not_act(
    run: JobRun, rest: Rest, member: Rest, fake: FakeControls
) -> None:
    rest.post(f"jobs/{run.pk}/actions/", CANCEL)
    panel = member.get(f"jobs/{run.pk}/actions/")
    assert len(panel.json()["orders"]) == 1
    assert member.post(f"jobs/{run.pk}/actions/", CANCEL).status_code == 403
    assert len(fake.requests) == 1
    assert Entry.objects.filter(action="access.refused", actor="mia/test").exists()


def test_viewers_may_look_and_not_act(run: JobRun, fake: FakeControls) -> None:
    viewer = Rest(Role.VIEWER)
    assert viewer.get(f"jobs/{run.pk}/actions/").status_code == 200
    assert viewer.get("actions/").status_code == 200
    assert viewer.post(f"jobs/{run.pk}/actions/", CANCEL).status_code == 403
    assert viewer.post("actions/batch/", {"dry_run": True}).status_code == 403
    assert viewer.post("actions/1/stop/", {"reason": "because"}).status_code == 403
    assert fake.requests == []


def test_for_outsiders_the_run_does_not_exist(
    run: JobRun, outsider: Rest, fake: FakeControls
) -> None:
    assert outsider.get(f"jobs/{run.pk}/actions/").status_code == 404
    assert outsider.post(f"jobs/{run.pk}/actions/", CANCEL).status_code == 404
    for path in ("actions/", "actions/1/", "actions/1/items/"):
        assert outsider.get(path).status_code == 403
    for path in ("actions/batch/", "actions/1/stop/"):
        assert outsider.post(path, {}).status_code == 403
    assert fake.requests == []


def test_a_batch_is_counted_then_asked_for_then_watched(
    run: JobRun, rest: Rest, fake: FakeControls, enqueued: list[Any]
) -> None:
    make_run(status=Status.RUNNING)
    body = {"engine": "temporal", "verb": "terminate", "query": "status:running", "rate": 50}
    counted = rest.post("actions/batch/", {**body, "dry_run": True})
    assert counted.status_code == 200
    assert (counted.json()["fitting"], counted.json()["tenants"]) == (2, {"acme": 1, "": 1})
    assert Action.objects.count() == 0
    accepted = rest.post(
        "actions/batch/", {**body, "reason": "because", "expected": 2, "confirm": "2"}
    )
    assert accepted.status_code == 202
    row = accepted.json()
    assert (row["status"], row["total"], row["run"]) == ("asked", 2, None)
    run_batch(action_id=row["id"])
    assert rest.get(f"actions/{row['id']}/").json()["status"] == "done"
    items = rest.get(f"actions/{row['id']}/items/").json()["results"]
    assert {item["status"] for item in items} == {"done"}
    assert {item["tenant"] for item in items} == {"acme", None}
    late = rest.post(f"actions/{row['id']}/stop/", {"reason": "because"})
    assert (late.status_code, late.json()["code"]) == (409, "not_running")


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"engine": "cron"}, "engine", "use temporal, argo, celery, kubernetes"),
        ({"engine": "temporal", "verb": "cancel", "ids": ["1"]}, "ids.0", "use an id"),
        ({"engine": "temporal", "verb": "cancel", "ids": [1] * 10_001}, "ids", "At most 10000"),
        ({"engine": "temporal", "verb": "cancel", "ids": [1], "rate": "fast"}, "rate", "'fast'"),
        ({"engine": "temporal", "verb": "cancel", "dry_run": "no"}, "dry_run", "true or false"),
        ({"engine": "temporal", "verb": "cancel", "ids": [1], "query": "x"}, "ids", "one of both"),
        ({"engine": "temporal", "verb": "cancel", "ids": [1], "target": "x"}, "ids", "one of both"),
        ({"engine": "temporal", "verb": "cancel", "query": ""}, "query", "every run"),
        ({"engine": "temporal", "verb": "cancel", "q": "x"}, "q", "use engine, verb"),
    ],
)
def test_a_bad_batch_names_field_value_and_what_is_right(
    rest: Rest, fake: FakeControls, body: dict[str, Any], field: str, words: str
) -> None:
    answer = rest.post("actions/batch/", {"reason": "because", **body})
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert words in answer.json()["detail"]
