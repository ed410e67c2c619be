"""Jobs over REST: what is said, how it is paged, and to whom."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from console.access.models import Role
from observability.engines.contracts import EventKind, Status
from observability.engines.failure_kinds import REFUSALS
from observability.jobs.models import JobRun
from tenants.models import Membership
from tests.observability.jobs.factories import (
    NOON,
    after,
    make_events,
    make_links,
    make_run,
    make_target,
    make_tenant,
    seen,
)
from tests.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer() -> Rest:
    """A console role that may look."""
    return Rest(Role.VIEWER)


@pytest.fixture
def member() -> Rest:
    """Somebody of tenant acme without a role."""
    rest = Rest(Role.NOBODY, "mia")
    Membership.objects.create(tenant=make_tenant("acme"), user=rest.user)
    return rest


@pytest.fixture
def outsider() -> Rest:
    """Somebody of another tenant."""
    rest = Rest(Role.NOBODY, "otto")
    Membership.objects.create(tenant=make_tenant("globex"), user=rest.user)
    return rest


@pytest.fixture
def run() -> JobRun:
    """A run of acme with two events, on Celery."""
    made = make_run(
        make_target("celery-eu", "celery"), tenant=make_tenant("acme"), external_id="task-1",
        attributes={"colour": "red"}, status=Status.FAILED, failure="boom", search="task 1 boom",
    )  # fmt: skip
    make_events(made, [seen(1, EventKind.CREATED), seen(2, EventKind.FAILED, detail={"n": 1})])
    make_links(made, trace="4bf9")
    return made


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["external_id"] for row in answer.json()["results"]]


def test_a_run_is_said_with_words_not_ids(viewer: Rest, run: JobRun) -> None:
    row = viewer.get("jobs/").json()["results"][0]
    assert row == {
        **row, "id": run.pk, "tenant": "acme", "target": "celery-eu", "engine": "celery",
        "status": "failed", "failure": "boom", "created_at": "2026-11-22T12:00:00Z",
        "duration_ms": 60_000, "parent": "", "key": run.key, "event_count": 2,
    }  # fmt: skip
    assert "attributes" not in row
    detail = viewer.get(f"jobs/{run.pk}/").json()
    assert detail["attributes"] == {"colour": "red"}
    assert detail["links"] == [{"kind": "trace", "value": "4bf9"}]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["other", "task-1"]),
        ({"q": "boom"}, ["task-1"]),
        ({"status": "bad"}, ["task-1"]),
        ({"tenant": "none"}, ["other"]),
        ({"tenant": ["none", "acme"]}, ["other", "task-1"]),
        ({"engine": "celery", "status": "succeeded"}, []),
        ({"id": "oth"}, ["other"]),
        ({"until": "2026-11-22T12:00:01+00:00"}, ["task-1"]),
    ],
)
def test_the_explorers_filters_are_parameters(
    viewer: Rest, run: JobRun, query: dict[str, Any], expected: list[str]
) -> None:
    make_run(external_id="other", created_at=after(5), search="other")
    assert names(viewer.get("jobs/", **query)) == expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"status": "broken"}, "invalid_query"),
        ({"colour": "red"}, "unknown_parameter"),
        ({"q": "a:b"}, "invalid_query"),
        ({"updated_since": "yesterday"}, "invalid_moment"),
        ({"cursor": "x"}, "invalid_cursor"),
        ({"page_size": "0"}, "invalid_page_size"),
        ({"page_size": "²"}, "invalid_page_size"),
        ({"page_size": "9" * 5000}, "invalid_page_size"),
    ],
)
def test_a_wrong_parameter_is_a_problem(viewer: Rest, query: dict[str, str], code: str) -> None:
    answer = viewer.get("jobs/", **query)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == code


def test_a_copy_is_kept_by_asking_for_what_changed(viewer: Rest) -> None:
    for number in range(5):
        make_run(external_id=f"job-{number}", created_at=NOON - timedelta(hours=number),
                 updated_at=after(number))  # fmt: skip
    got: list[str] = []
    answer = viewer.get("jobs/", updated_since="2026-11-22T12:00:01Z", page_size=2).json()
    while True:
        got += [row["external_id"] for row in answer["results"]]
        if not answer["next"]:
            break
        answer = viewer.client.get(answer["next"]).json()
    assert got == ["job-1", "job-2", "job-3", "job-4"]


def test_events_come_in_order_and_by_cursor(viewer: Rest, run: JobRun) -> None:
    first = viewer.get(f"jobs/{run.pk}/events/", page_size=1).json()
    assert [row["kind"] for row in first["results"]] == ["created"]
    second = viewer.client.get(first["next"]).json()
    assert second["results"][0]["detail"] == {"n": 1}
    assert second["next"] is None


@pytest.mark.parametrize("path", ["", "events/", "history/"])
def test_an_outsider_cannot_tell_that_a_run_exists(outsider: Rest, run: JobRun, path: str) -> None:
    here = outsider.get(f"jobs/{run.pk}/{path}")
    nowhere = outsider.get(f"jobs/{run.pk + 999}/{path}")
    assert here.status_code == nowhere.status_code == 404
    assert {**here.json(), "request_id": ""} == {**nowhere.json(), "request_id": ""}


def test_an_outsider_finds_nothing_of_others(outsider: Rest, run: JobRun) -> None:
    make_run(external_id="nobodys")
    theirs = make_run(tenant=make_tenant("globex"), external_id="theirs")
    assert names(outsider.get("jobs/")) == ["theirs"]
    assert names(outsider.get("jobs/", tenant="acme")) == []
    assert names(outsider.get("jobs/", q="boom")) == []
    assert names(outsider.get("jobs/", tenant="none")) == []
    assert names(outsider.get("jobs/", updated_since="2020-01-01T00:00:00Z")) == ["theirs"]
    assert outsider.get(f"jobs/{theirs.pk}/").status_code == 200


def test_somebody_without_a_tenant_finds_nothing(run: JobRun) -> None:
    nobody = Rest(Role.NOBODY, "nora")
    assert names(nobody.get("jobs/")) == []
    assert nobody.get(f"jobs/{run.pk}/").status_code == 404


def test_a_member_reads_their_own_with_its_raw_history(member: Rest, run: JobRun) -> None:
    assert names(member.get("jobs/")) == ["task-1"]
    assert member.get(f"jobs/{run.pk}/").status_code == 200
    assert len(member.get(f"jobs/{run.pk}/events/").json()["results"]) == 2
    history = member.get(f"jobs/{run.pk}/history/")
    assert history.status_code == 200
    assert history["Content-Disposition"].startswith('attachment; filename="celery-task-1')
    assert json.loads(history.content)


def test_a_viewer_does_not_get_raw_histories_but_an_operator_does(
    viewer: Rest, run: JobRun
) -> None:
    assert viewer.get(f"jobs/{run.pk}/history/").status_code == 403
    assert Rest(Role.OPERATOR).get(f"jobs/{run.pk}/history/").status_code == 200


def test_a_viewer_who_is_a_member_gets_the_histories_of_their_own(
    viewer: Rest, run: JobRun
) -> None:
    Membership.objects.create(tenant=make_tenant("acme"), user=viewer.user)
    other = make_run(tenant=make_tenant("globex"))
    assert viewer.get(f"jobs/{run.pk}/history/").status_code == 200
    assert viewer.get(f"jobs/{other.pk}/history/").status_code == 403


def test_a_list_takes_as_many_queries_for_fifty_as_for_one(
    viewer: Rest, run: JobRun, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(6) as few:
        viewer.get("jobs/", status="bad")
    for number in range(50):
        make_run(tenant=make_tenant(f"t-{number}"), status=Status.FAILED)
    with django_assert_max_num_queries(len(few)):
        assert len(names(viewer.get("jobs/", status="bad", page_size=50))) == 50


def test_without_a_token_nothing_is_said(run: JobRun, client: Any) -> None:
    for path in ("", f"{run.pk}/", f"{run.pk}/events/", f"{run.pk}/history/"):
        assert client.get(f"/api/v1/jobs/{path}").status_code == 401


def test_the_schema_lists_the_kinds_of_failure_and_runs_are_found_by_each(viewer: Rest) -> None:
    schema = viewer.get("schema/?format=json").json()
    listed = json.dumps(schema["components"]["schemas"])
    cluster = make_target("k8s", "kubernetes")
    for kind in REFUSALS:
        assert f'"{kind.value}"' in listed
        make_run(cluster, status=Status.WAITING, failure_kind=kind, external_id=kind.value)
        rows = viewer.get(f"jobs/?failure={kind.value}").json()["results"]
        assert [row["external_id"] for row in rows] == [kind.value]
        assert [row["failure_kind"] for row in rows] == [kind.value]
