"""Whatever members of a tenant can read holds nothing of the operator's world: canaries lie in
every field that people of the platform fill, and none comes out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from console.access.contracts import Permission
from console.access.models import ApiToken, Role, User
from console.errors import Refused, Throttled, Unreachable
from console.rest.serializers import described
from console.rest.tenant_view import shown_to, without_operators
from observability.actions.models import Action, ActionItem
from observability.engines.contracts import EventKind, LinkKind, Status
from observability.jobs.api import runs as runs_api
from observability.jobs.models import JobLink, JobRun
from observability.jobs.services import documents
from observability.jobs.services.documents import Download
from observability.replays.models import BundleKind, Replay, ReplayResult, WorkflowBundle
from tenants.models import Membership, Placement, Target
from tests.access import table
from tests.access.table import Need
from tests.observability.jobs.factories import make_events, make_run, make_tenant, seen
from tests.rest import Rest

pytestmark = pytest.mark.django_db

CANARY = "canary"
KINDS = ("temporal", "argo", "celery", "kubernetes")
# What operators say to engines comes back in what these say of the run.
STATED = f"{CANARY}-reason (by {CANARY}-olga through Headroom)"
TENANTS_OWN = "own-words"


@dataclass
class World:
    """A member of acme and the runs of acme, one on each kind of target; a viewer beside them."""

    member: Rest
    viewer: Rest
    runs: list[JobRun]


@pytest.fixture
def world() -> World:
    tenant = make_tenant("acme")
    olga = User.objects.create_user(f"{CANARY}-olga", f"{CANARY}@example.org", role=Role.OPERATOR)
    member = Rest(Role.NOBODY, "mia")
    Membership.objects.create(tenant=tenant, user=member.user)
    bundle = WorkflowBundle.objects.create(
        name=f"{CANARY}-flows", version=f"{CANARY}-1", kind=BundleKind.MODULE, reason=CANARY,
        modules=[CANARY], workflows=[CANARY], isolated=True, created_at=timezone.now(),
    )  # fmt: skip
    runs = [everything_about(kind, tenant, olga, bundle) for kind in KINDS]
    return World(member, Rest(Role.VIEWER), runs)


def everything_about(kind: str, tenant: Any, olga: User, bundle: WorkflowBundle) -> JobRun:
    """A run on a target of the kind with all that can hang on one."""
    now = timezone.now()
    slug = f"{CANARY}-{kind}"
    target = Target.objects.create(
        slug=slug, name=f"{CANARY} name", kind=kind, endpoint=f"{CANARY}.internal:1",
        credential=f"env:{CANARY.upper()}_TOKEN", options={"ui_url": f"https://{CANARY}.example"},
    )  # fmt: skip
    Placement.objects.create(tenant=tenant, target=target, location=f"{TENANTS_OWN}-{kind}")
    # A Celery app without a name of its own is called as its target is.
    location = slug if kind == "celery" else f"{TENANTS_OWN}-{kind}"
    run = make_run(
        target, tenant=tenant, location=location, external_id=f"{TENANTS_OWN}-{kind}",
        status=Status.FAILED, failure=STATED, started_by=f"headroom:{olga.username}",
        worker=f"{CANARY}-node" if kind in ("argo", "kubernetes") else f"{TENANTS_OWN}-worker",
        parent_key=f"{kind}/{location}/parent/1",
        attributes={
            "workflows.argoproj.io/actor": olga.username,
            "workflows.argoproj.io/actor-email": olga.email,
            "team": TENANTS_OWN,
        },
    )  # fmt: skip
    make_events(
        run,
        [
            seen(1, EventKind.STARTED, actor=f"{CANARY}-node"),
            seen(
                2, EventKind.TERMINATED, actor=f"headroom:{olga.username}", message=STATED,
                detail={
                    "identity": f"headroom:{olga.username}", "reason": STATED, "own": TENANTS_OWN,
                },
            ),
        ],
    )  # fmt: skip
    JobLink.objects.create(run=run, kind=LinkKind.TRACE, value="4bf9")
    who = {"actor_kind": "person", "actor": olga.username, "user": olga}
    action = Action.objects.create(
        run=run, label=CANARY, target=target, tenant=tenant, engine=run.engine, verb="terminate",
        arguments={CANARY: CANARY}, reason=CANARY, message=f"{CANARY}: 10.0.0.1:7233", query=CANARY,
        result={"by": CANARY}, created_at=now, status="failed", selection="query", **who,
    )  # fmt: skip
    ActionItem.objects.create(action=action, run=run, label=CANARY, message=CANARY)
    replay = Replay.objects.create(
        bundle=bundle, selection=CANARY, total=1, created_at=now, message=CANARY,
        actor=olga.username,
    )  # fmt: skip
    ReplayResult.objects.create(
        replay=replay, run=run, verdict="diverged", event_id=7, event_type="TimerStarted",
        expected=TENANTS_OWN, actual=f"{CANARY} in /srv/bundles", message=f"{CANARY} Traceback",
    )  # fmt: skip
    return run


def member_operations() -> set[tuple[str, str]]:
    """(method, route) of every endpoint that is open to whoever owns what it is about."""

    def walk(
        entries: list[URLPattern | URLResolver], prefix: str = ""
    ) -> Iterator[tuple[str, str]]:
        for entry in entries:
            route = prefix + re.sub(r"<[^>]+>", "_", str(entry.pattern))
            if isinstance(entry, URLResolver):
                yield from walk(entry.url_patterns, route)
                continue
            view = getattr(entry.callback, "cls", None)
            for method, permission in getattr(view, "required_permissions", {}).items():
                if permission is Permission.OWN:
                    yield method, f"/{route}"

    return set(walk(get_resolver().url_patterns))


def test_the_endpoints_that_members_reach_are_those_that_the_table_of_rights_says() -> None:
    own = {Need.OWN, Need.OWN_OR_OPERATE, Need.OWN_OPERATE}
    declared = {
        name for need, names in table.OPERATIONS.items() if need in own for name in names.split()
    }
    open_to_members = {
        f"{method}:{route.removeprefix('/api/v1/')}" for method, route in member_operations()
    }
    assert open_to_members == declared


def clean(text: str) -> bool:
    return CANARY not in text.lower() and "10.0.0.1" not in text


def test_no_answer_to_a_member_holds_a_canary(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = {"target": CANARY, "events": [{"identity": f"headroom:{CANARY}", "reason": STATED}]}
    monkeypatch.setattr(
        documents,
        "download_of",
        lambda _: Download(json.dumps(recorded).encode(), "application/json", "own.json"),
    )
    tried = 0
    seen_by_viewers = ""
    for method, route in sorted(member_operations()):
        for run in world.runs:
            path = route.replace("_", str(run.pk), 1)
            for query in ("", "?page_size=1", "?q=target:x", "?cursor=x", "?nope=1"):
                answer = world.member.client.generic(
                    method, path + query, b"{}", "application/json"
                )
                assert answer.status_code < 500, (method, path, answer.content)
                assert clean(answer.content.decode()), (method, path, answer.content.decode())
                assert clean(str(answer.headers)), (method, path)
                tried += 1
        if method == "GET":
            seen_by_viewers += world.viewer.client.get(path).content.decode()
    assert tried > 100
    assert CANARY in seen_by_viewers  # the canaries are there, for whom they are


def test_what_is_theirs_they_see(world: World) -> None:
    for run in world.runs:
        row = world.member.get(f"jobs/{run.pk}/").json()
        assert row["external_id"] == f"{TENANTS_OWN}-{run.engine}"
        assert row["attributes"]["team"] == TENANTS_OWN
        assert row["target"] is None
        assert row["key"].startswith(f"{run.engine}/")
        assert row["started_by"] == "headroom"
        assert row["failure"] == "Through Headroom, by an operator."
        (started, ended) = world.member.get(f"jobs/{run.pk}/events/").json()["results"]
        assert (started["actor"], ended["actor"]) == ("", "")
        assert ended["detail"] == {
            "identity": "headroom", "reason": "Through Headroom, by an operator.",
            "own": TENANTS_OWN,
        }  # fmt: skip
        done = world.member.get(f"jobs/{run.pk}/actions/").json()
        (action,) = done["actions"]
        assert done["possible"] == []
        assert (action["verb"], action["status"], action["tenant"]) == (
            "terminate",
            "failed",
            "acme",
        )
        assert (action["actor"], action["run"], action["reason"]) == ("operator", run.pk, "")
        (replayed,) = world.member.get(f"jobs/{run.pk}/replays/").json()["results"]
        assert (replayed["verdict"], replayed["event_id"]) == ("diverged", 7)
        assert (replayed["expected"], replayed["bundle"]) == (TENANTS_OWN, "")
    workers = {run["engine"]: run["worker"] for run in world.member.get("jobs/").json()["results"]}
    assert workers["temporal"] == workers["celery"] == f"{TENANTS_OWN}-worker"
    assert workers["argo"] == workers["kubernetes"] == ""


def test_people_of_the_console_see_all_of_it(world: World) -> None:
    run = world.runs[0]
    assert world.viewer.get(f"jobs/{run.pk}/").json()["target"] == f"{CANARY}-temporal"
    (action,) = world.viewer.get(f"jobs/{run.pk}/actions/").json()["actions"]
    assert (action["actor"], action["reason"]) == (f"{CANARY}-olga", CANARY)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused(f"environment variable {CANARY} is not set", code="credential"), 502),
        (Refused(f"list workflows: {CANARY} may not", code="forbidden"), 502),
        (Unreachable(f"connect to {CANARY}.internal 10.0.0.1:7233"), 503),
        (Throttled(f"{CANARY} is busy", retry_after=3.0), 503),
    ],
)
def test_why_an_engine_cannot_be_asked_is_not_theirs_to_know(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def failing(**_: object) -> Download:
        raise error

    monkeypatch.setattr(runs_api, "download_history", failing)
    path = f"jobs/{world.runs[0].pk}/history/"
    answer = world.member.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, "engine_unavailable")
    assert clean(answer.content.decode())
    assert answer.json()["retryable"] is (status == 503)
    assert answer.get("Retry-After") == ("4" if isinstance(error, Throttled) else None)
    world.viewer.user.role = Role.OPERATOR
    world.viewer.user.save()
    assert CANARY in world.viewer.get(path).json()["detail"]


def test_a_member_sees_the_same_with_a_session_and_with_any_scope(world: World) -> None:
    client = Client()
    client.force_login(world.member.user)
    clients = [client]
    for scope in ("all", "operate", "read"):
        token = ApiToken.issue(user=world.member.user, name=scope, scope=scope)
        clients.append(Client(headers={"Authorization": f"Bearer {token}"}))
    for asking in clients:
        answer = asking.get("/api/v1/jobs/")
        assert len(answer.json()["results"]) == 4
        assert clean(answer.content.decode())


def test_no_page_that_a_member_can_open_holds_a_canary(world: World) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(world.member.user)
    for path in ("/access/account/", "/access/account/password/", "/", "/nope/", "/api/docs/",
                 f"/jobs/{world.runs[0].pk}/", f"/targets/{CANARY}-temporal/"):  # fmt: skip
        answer = client.get(path)
        assert clean(answer.content.decode().replace(f"/targets/{CANARY}", "")), path


@pytest.mark.parametrize("query", [{"target": "canary-argo"}, {"q": "target:canary-argo"}])
def test_a_member_cannot_try_out_the_names_of_targets(world: World, query: dict[str, str]) -> None:
    for name in ("canary-argo", "nothing"):
        asked_for = {key: value.replace("canary-argo", name) for key, value in query.items()}
        answer = world.member.get("jobs/", **asked_for)
        assert (answer.status_code, answer.json()["field"]) == (400, "target")
    assert len(world.viewer.get("jobs/", **query).json()["results"]) == 1


def test_a_shape_that_says_nothing_is_shown_to_no_member(world: World) -> None:
    class Asking:
        user = world.member.user

    shape = described("Nameless", "A shape of the console's.")
    request: Any = Asking()
    with pytest.raises(TypeError, match="does not say what members"):
        shown_to(request, shape, [{"target": CANARY}])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("headroom:olga", "headroom"),
        ("ended by headroom:olga, at noon", "ended by headroom, at noon"),
        ("because\n(by olga through Headroom)", "Through Headroom, by an operator."),
        ({"a/actor": "olga", "actor": "mine", "x": ["headroom:o"]},
         {"a/actor": "", "actor": "mine", "x": ["headroom"]}),
        ({"n": 1.5, "t": True, "z": None}, {"n": 1.5, "t": True, "z": None}),
        ("(by " * 5_000, "(by " * 5_000),
    ],
)  # fmt: skip
def test_names_and_reasons_that_engines_were_given_are_taken_out(value: Any, shown: Any) -> None:
    assert without_operators(value) == shown
