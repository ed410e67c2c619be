"""Every page and endpoint of observability, asked by a member of one tenant about another's run."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from console.access.models import Role, User
from observability.actions.models import Action
from observability.engines.contracts import LinkKind, Status
from observability.jobs.models import JobLink, JobRun
from observability.replays.models import Replay
from tenants.models import Membership, Tenant
from tests.architecture.test_routes_are_guarded import ROUTES
from tests.observability.jobs.factories import make_run, make_tenant
from tests.observability.run_with_everything import one_of_each
from tests.rest import Rest

SECRET = "globex-secret"
PAGES = [route for route in ROUTES if route.startswith("jobs/")]
REST = [
    route.removeprefix("api/v1/")
    for route in ROUTES
    if re.match(r"api/v1/(jobs|replays|actions|bundles)/", route)
]


def member_of(slug: str, user: User) -> None:
    Membership.objects.create(tenant=Tenant.objects.get(slug=slug), user=user)


@pytest.fixture
def theirs(db: None) -> dict[str, int]:
    """Somebody else's run with all that can hang on one; and a run of our own that claims to belong
    to it."""
    globex, acme = make_tenant("globex"), make_tenant("acme")
    run = make_run(tenant=globex, status=Status.RUNNING, external_id=SECRET, type=SECRET)
    own = make_run(tenant=acme, external_id="own", parent_key=run.key)
    JobLink.objects.create(run=own, kind=LinkKind.TRACE, value="4bf9")
    return {"own": own.pk, **one_of_each(run, SECRET)}


def path_of(route: str, theirs: dict[str, int]) -> str:
    """The route with what is theirs in it."""
    about = next((word for word in ("actions", "replays", "bundles") if f"{word}/<" in route), "")
    pk = theirs[{"actions": "action", "replays": "replay", "bundles": "bundle"}.get(about, "run")]
    path = route.replace("<int:pk>", str(pk)).replace("<int:event>", str(theirs["event"]))
    return path.replace("<slug:slug>", "globex").replace("<slug:verb>", "cancel")


def test_there_is_something_to_try() -> None:
    assert len(PAGES) > 20
    assert len(REST) > 10


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_member_of_a_tenant_opens_no_page_of_the_console(
    theirs: dict[str, int], method: str
) -> None:
    client = Client()
    client.force_login(User.objects.create_user("mia", role=Role.NOBODY))
    member_of("acme", User.objects.get(username="mia"))
    for route in PAGES:
        answer = getattr(client, method)(f"/{path_of(route, theirs)}")
        assert answer.status_code == 403, route
        assert SECRET not in answer.content.decode(), route


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_member_learns_nothing_of_another_tenant_over_rest(
    theirs: dict[str, int], method: str
) -> None:
    rest = Rest(Role.NOBODY, "mia")
    member_of("acme", rest.user)
    claimed = JobRun.objects.get(pk=theirs["own"]).parent_key
    body: Any = {"verb": "cancel", "reason": "because", "bundle": "flows@1", "runs": [1]}
    for route in REST:
        path = path_of(route, theirs)
        answer = rest.get(path) if method == "GET" else rest.post(path, body)
        if route == "jobs/" and method == "GET":
            assert [row["external_id"] for row in answer.json()["results"]] == ["own"]
        else:
            assert answer.status_code in {403, 404, 405}, (route, answer.content)
        assert SECRET not in answer.content.decode().replace(claimed, ""), route
        assert Action.objects.count() == 1, route
        assert Replay.objects.count() == 1, route


def test_what_ones_own_run_claims_leads_to_nobody_elses(theirs: dict[str, int]) -> None:
    rest = Rest(Role.NOBODY, "mia")
    member_of("acme", rest.user)
    own = theirs["own"]
    for path in ("", "events/", "actions/", "replays/"):
        answer = rest.get(f"jobs/{own}/{path}")
        assert answer.status_code == 200
        content = answer.content.decode()
        claimed = JobRun.objects.get(pk=own).parent_key
        assert SECRET not in content.replace(claimed, "")
    viewer = Client()
    viewer.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    assert f'href="/jobs/{theirs["run"]}/"' not in viewer.get(f"/jobs/{own}/").content.decode()
