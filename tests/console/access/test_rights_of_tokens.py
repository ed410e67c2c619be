"""A token may do what its scope says, and never more than its owner."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from console.access.contracts import Permission
from console.access.models import ApiToken, Role, TokenScope, User
from console.audit.models import Entry, Outcome
from quotas.changes.kinds.registry import KINDS
from quotas.changes.models import Proposal, ProposalStatus
from tests.observability.jobs.factories import make_run, make_target

FOR_ADMINS = sorted(
    name for name, kind in KINDS.items() if kind.permission == Permission.ADMINISTER
)

pytestmark = pytest.mark.django_db


def client(role: str, scope: str) -> Client:
    user, _ = User.objects.get_or_create(username=f"{role}-{scope}", defaults={"role": role})
    token = ApiToken.issue(user=user, name="ci", scope=scope)
    return Client(headers={"Authorization": f"Bearer {token}"})


def send(role: str, scope: str, path: str, body: dict[str, Any]) -> Any:
    return client(role, scope).post(f"/api/v1/{path}", body, content_type="application/json")


@pytest.mark.parametrize("scope", TokenScope.values)
def test_every_scope_reads(scope: str) -> None:
    assert client(Role.ADMIN, scope).get("/api/v1/jobs/").status_code == 200


@pytest.mark.parametrize(
    ("role", "scope", "is_let_in"),
    [
        (Role.ADMIN, TokenScope.READ, False),
        (Role.ADMIN, TokenScope.OPERATE, True),
        (Role.ADMIN, TokenScope.ALL, True),
        (Role.VIEWER, TokenScope.ALL, False),
    ],
)
def test_acting_on_a_job_needs_role_and_scope(role: str, scope: str, is_let_in: bool) -> None:
    run = make_run(make_target("cluster", "kubernetes"))
    answer = send(role, scope, f"jobs/{run.pk}/actions/", {"verb": "nothing", "reason": "a test"})
    assert (answer.status_code != 403) is is_let_in
    if not is_let_in and role == Role.ADMIN:
        assert "scope" in answer.json()["detail"]


def test_an_operators_scope_administers_nothing() -> None:
    assert send(Role.ADMIN, TokenScope.OPERATE, "bundles/", {}).status_code == 403
    assert send(Role.ADMIN, TokenScope.ALL, "bundles/", {}).status_code != 403


def test_an_operators_token_of_an_admin_proposes_nothing_that_is_for_admins() -> None:
    """Neither does it learn what is wrong with what it sent: that is looked at afterwards."""
    make_target("cluster", "kubernetes")
    for path in ("proposals/", "preview/"):
        for kind in FOR_ADMINS:
            sent = {"kind": kind, "payload": {"nothing": "that is right"}}
            answer = send(Role.ADMIN, TokenScope.OPERATE, path, sent)
            assert answer.status_code == 403, (path, kind)
            assert "scope" in answer.json()["detail"]
            assert send(Role.ADMIN, TokenScope.ALL, path, sent).status_code == 422, (path, kind)
    refused = Entry.objects.filter(outcome=Outcome.REFUSED, action="access.refused")
    assert refused.count() == 2 * len(FOR_ADMINS)


def test_an_operators_token_of_an_admin_proposes_what_operators_may() -> None:
    sent = {"kind": "Suspend", "payload": {"nothing": "that is right"}}
    assert send(Role.ADMIN, TokenScope.OPERATE, "proposals/", sent).status_code == 422
    assert send(Role.ADMIN, TokenScope.READ, "proposals/", sent).status_code == 403
    sent["kind"] = "Nonsense"
    answer = send(Role.OPERATOR, TokenScope.ALL, "proposals/", sent)
    assert (answer.status_code, answer.json()["field"]) == (422, "kind")


def test_an_operators_token_of_an_admin_applies_and_discards_nothing_that_is_for_admins() -> None:
    draft = Proposal.objects.create(
        kind="PublishPlan", payload={}, title="A plan", author_name="ann"
    )
    path = f"/api/v1/proposals/{draft.pk}/"
    machine = client(Role.ADMIN, TokenScope.OPERATE)
    body = {"fingerprint": draft.fingerprint, "reason": "because"}
    applied = machine.post(f"{path}apply/", body, content_type="application/json")
    assert (applied.status_code, "scope" in applied.json()["detail"]) == (403, True)
    assert machine.delete(path, headers={"If-Match": "*"}).status_code == 403
    draft.refresh_from_db()
    assert draft.status == ProposalStatus.DRAFT


def test_the_page_makes_tokens_that_only_read_unless_asked_otherwise() -> None:
    user = User.objects.create_user("ann", role=Role.OPERATOR)
    browser = Client()
    browser.force_login(user)
    browser.post("/access/account/", {"name": "export", "days": 30, "scope": "read"})
    assert ApiToken.objects.get().scope == TokenScope.READ
    assert "Read only" in browser.get("/access/account/").content.decode()
    wrong = browser.post("/access/account/", {"name": "export", "days": 30, "scope": "root"})
    assert wrong.status_code == 422


def test_the_command_takes_a_scope() -> None:
    User.objects.create_user("ann", role=Role.OPERATOR)
    call_command("issue_token", "ann", "--name", "ci", "--scope", "operate")
    assert ApiToken.objects.get().scope == TokenScope.OPERATE
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("issue_token", "ann", "--name", "ci", "--scope", "root")
