"""Bundles and replays over REST: rights, answers, problems that name field, value and the right."""

from __future__ import annotations

from typing import Any

import pytest

from console.access.models import ApiToken, Role, TokenScope
from console.audit.models import Entry
from observability.replays.models import Replay, ReplayResult, ResultVerdict, WorkflowBundle
from observability.replays.services import execution
from tenants.models import Membership
from tests.observability.jobs.factories import make_run, make_tenant
from tests.rest import Rest

pytestmark = pytest.mark.django_db
WHY = {"reason": "replaced by build 43"}


@pytest.fixture
def bundle() -> WorkflowBundle:
    return WorkflowBundle.objects.create(
        name="flows", version="42", kind="directory", modules=["flows"], isolated=True,
        workflows=["InvoiceFlow"], reason="build", created_at="2026-11-22T12:00Z",
    )  # fmt: skip


@pytest.fixture
def replay(bundle: WorkflowBundle) -> Replay:
    """Two runs of acme, one of them replayed already."""
    runs = [make_run(tenant=make_tenant("acme")).pk for _ in range(2)]
    accepted = Rest(Role.OPERATOR, "asker").post("replays/", {"bundle": "flows@42", "runs": runs})
    first = ReplayResult.objects.order_by("id")[0]
    ReplayResult.objects.filter(pk=first.pk).update(verdict=ResultVerdict.DETERMINISTIC)
    return Replay.objects.get(pk=accepted.json()["id"])


def test_rest_accepts_a_replay_and_says_where_to_poll(bundle: WorkflowBundle) -> None:
    run = make_run()
    rest = Rest(Role.OPERATOR)
    accepted = rest.post("replays/", {"bundle": "flows@42", "runs": [run.pk]})
    assert accepted.status_code == 202
    assert accepted["Location"] == f"/api/v1/replays/{accepted.json()['id']}/"
    polled = rest.get(f"replays/{accepted.json()['id']}/").json()
    assert (polled["total"], polled["done"], polled["state"]) == (1, 0, "waiting")
    results = rest.get(f"replays/{polled['id']}/results/").json()["results"]
    assert [(row["run"], row["verdict"]) for row in results] == [(run.pk, "")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"bundle": "flows@41", "runs": [1]}, "bundle"),
        ({"bundle": "flows@42", "runs": ["x"]}, "runs.0"),
        ({"bundle": "flows@42", "runs": [2**70]}, "runs.0"),
        ({"bundle": "flows@42", "runs": [999999]}, "runs"),
        ({"bundle": "flows@42", "query": "colour:red"}, "q"),
        ({"bundle": "flows@42", "last": 10**6}, "last"),
        ({"bundle": "flows@42", "colour": "red"}, "colour"),
        ({"bundle": "flows@42", "runs": [1], "query": "type:InvoiceFlow"}, "runs"),
    ],
)
def test_rest_names_the_field_that_is_wrong(
    bundle: WorkflowBundle, body: dict[str, Any], field: str
) -> None:
    refused = Rest(Role.OPERATOR).post("replays/", body)
    assert 400 <= refused.status_code < 500
    assert refused.json()["field"] == field


def test_a_member_reads_the_replays_of_own_runs_only(bundle: WorkflowBundle) -> None:
    own, other = make_run(tenant=make_tenant("acme")), make_run(tenant=make_tenant("globex"))
    member = Rest(Role.NOBODY)
    Membership.objects.create(tenant=make_tenant("acme"), user=member.user)
    assert member.get(f"jobs/{own.pk}/replays/").status_code == 200
    assert member.get(f"jobs/{other.pk}/replays/").status_code == 404
    assert member.post(f"jobs/{own.pk}/replays/", {"bundle": "flows@42"}).status_code == 403
    assert member.get("replays/").status_code == 403
    assert member.get("bundles/").status_code == 403
    assert member.post("bundles/", {}).status_code == 403


def test_a_replay_is_stopped_once_and_keeps_what_it_has(replay: Replay) -> None:
    rest = Rest(Role.OPERATOR)
    stopped = rest.post(f"replays/{replay.pk}/stop/")
    assert stopped.status_code == 200
    body = stopped.json()
    assert (body["state"], body["total"], body["done"]) == ("stopped", 2, 1)
    assert body["finished_at"]
    assert rest.get(f"replays/{replay.pk}/").json() == body
    assert Entry.objects.get(action="replay.stop").actor == "rest-operator/test"
    again = rest.post(f"replays/{replay.pk}/stop/")
    assert (again.status_code, again.json()["code"]) == (409, "not_running")
    assert execution.run(replay.pk, seconds=60) is False
    assert Entry.objects.filter(action="replay.stop").count() == 1


def test_a_bundle_is_retired_once_with_a_reason(bundle: WorkflowBundle) -> None:
    rest = Rest(Role.ADMIN)
    missing = rest.post(f"bundles/{bundle.pk}/retire/")
    assert (missing.status_code, missing.json()["field"]) == (422, "reason")
    retired = rest.post(f"bundles/{bundle.pk}/retire/", WHY)
    assert retired.status_code == 200
    assert retired.json()["retired_at"]
    assert rest.get(f"bundles/{bundle.pk}/").json() == retired.json()
    entry = Entry.objects.get(action="bundle.retire")
    assert (entry.actor, entry.reason) == ("rest-admin/test", WHY["reason"])
    again = rest.post(f"bundles/{bundle.pk}/retire/", WHY)
    assert (again.status_code, again.json()["code"]) == (409, "already_retired")
    refused = rest.post("replays/", {"bundle": "flows@42", "runs": [make_run().pk]})
    assert refused.json()["code"] == "bundle_retired"


@pytest.mark.parametrize(("action", "body"), [("stop", {}), ("retire", WHY)])
def test_the_same_key_gets_the_same_answer(
    replay: Replay, action: str, body: dict[str, str]
) -> None:
    rest = Rest(Role.ADMIN)
    path = (
        f"replays/{replay.pk}/stop/" if action == "stop" else f"bundles/{replay.bundle_id}/retire/"
    )
    first, again = (rest.post(path, body, Idempotency_Key="k1") for _ in range(2))
    assert (again.status_code, again.json()) == (200, first.json())
    assert again["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("path", ["replays/{replay}/stop/", "bundles/{bundle}/retire/"])
def test_a_field_that_nobody_knows_is_refused(replay: Replay, path: str) -> None:
    where = path.format(replay=replay.pk, bundle=replay.bundle_id)
    refused = Rest(Role.ADMIN).post(where, {**WHY, "colour": "red"})
    assert refused.status_code == 422
    assert refused.json()["code"] == "unknown_field"
    assert Replay.objects.get().is_open
    assert WorkflowBundle.objects.get().retired_at is None


@pytest.mark.parametrize(
    ("path", "role", "scope", "enough"),
    [
        ("replays/{replay}/stop/", Role.VIEWER, TokenScope.ALL, False),
        ("replays/{replay}/stop/", Role.OPERATOR, TokenScope.READ, False),
        ("replays/{replay}/stop/", Role.OPERATOR, TokenScope.OPERATE, True),
        ("bundles/{bundle}/retire/", Role.OPERATOR, TokenScope.ALL, False),
        ("bundles/{bundle}/retire/", Role.ADMIN, TokenScope.OPERATE, False),
        ("bundles/{bundle}/retire/", Role.ADMIN, TokenScope.ALL, True),
    ],
)
def test_stopping_needs_an_operator_and_retiring_an_admin(
    replay: Replay, path: str, role: str, scope: str, enough: bool
) -> None:
    rest = Rest(role)
    ApiToken.objects.filter(user=rest.user).update(scope=scope)
    body = WHY if "retire" in path else {}
    answer = rest.post(path.format(replay=replay.pk, bundle=replay.bundle_id), body)
    assert answer.status_code == (200 if enough else 403)
    assert Entry.objects.filter(action="access.refused").exists() is not enough


def test_members_may_neither_stop_nor_retire_nor_read_bundles(replay: Replay) -> None:
    member = Rest(Role.NOBODY)
    Membership.objects.create(tenant=make_tenant("acme"), user=member.user)
    assert member.post(f"replays/{replay.pk}/stop/").status_code == 403
    assert member.post(f"bundles/{replay.bundle_id}/retire/", WHY).status_code == 403
    assert member.get(f"bundles/{replay.bundle_id}/").status_code == 403
    assert Replay.objects.get().is_open


def test_what_does_not_exist_is_not_found(db: None) -> None:
    rest = Rest(Role.ADMIN)
    assert rest.post("replays/999999/stop/").status_code == 404
    assert rest.post("bundles/999999/retire/", WHY).status_code == 404
    assert rest.get("bundles/999999/").status_code == 404
