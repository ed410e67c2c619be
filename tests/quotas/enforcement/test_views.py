"""The pages of the loop: what they say, to whom, and in how many queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from console.access.models import Role
from console.audit.models import Entry
from console.loops import services
from quotas.enforcement.models import (
    Condition,
    Drift,
    ItemState,
    PlacementState,
    RolloutItem,
    TargetState,
    TenantState,
)
from quotas.plans.models import Lease
from tenants.models import Target, Tenant
from tests.quotas.enforcement.conftest import order
from tests.quotas.enforcement.fakes import FakePlane
from tests.quotas.enforcement.page_rows import SignIn, tenant


@pytest.mark.parametrize(
    ("version", "build"), [("v1.36.1+k3s1", "k3s1"), ("v1.37.2+emulated", "emulated")]
)
def test_whose_build_a_target_is_stands_beside_its_name(
    sign_in: SignIn, lab: Target, version: str, build: str
) -> None:
    client = sign_in(Role.VIEWER)
    TargetState.objects.update_or_create(target=lab, defaults={"version": version})
    for path in ("/", "/targets/", f"/targets/{lab.slug}/"):
        assert f">{build}</span>" in client.get(path).content.decode()
    TargetState.objects.update(version="v1.37.2")
    for path in ("/", "/targets/", f"/targets/{lab.slug}/"):
        assert 'class="tag"' not in client.get(path).content.decode()


def test_the_list_takes_as_many_queries_for_fifty_tenants_as_for_one(
    sign_in: SignIn, lab: Target, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in(Role.ADMIN)
    tenant("acme", lab)
    client.get("/tenants/")
    with django_assert_max_num_queries(13) as few:
        client.get("/tenants/")
    for number in range(49):
        tenant(f"tenant-{number:02}", lab)
    with django_assert_max_num_queries(len(few)):
        assert b"tenant-48" in client.get("/tenants/").content


def test_the_list_pages_by_key_and_goes_back(sign_in: SignIn, lab: Target) -> None:
    client = sign_in(Role.VIEWER)
    for number in range(60):
        tenant(f"t-{number:03}", lab)
    first = client.get("/tenants/")
    assert [row.slug for row in first.context["rows"]][-1] == "t-049"
    second = client.get("/tenants/", {"cursor": first.context["page"].next})
    assert [row.slug for row in second.context["rows"]] == [f"t-{n:03}" for n in range(50, 60)]
    back = client.get("/tenants/", {"cursor": second.context["page"].previous})
    assert next(row.slug for row in back.context["rows"]) == "t-000"


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ("q=acm", ["acme"]),
        ("condition=conflict", ["globex"]),
        ("near=over", ["globex"]),
        ("near=near", ["globex", "initech"]),
        ("label=team=blue", ["acme"]),
        ("label=team", ["acme"]),
        ("label=team=bl", []),
        ("label=team__startswith=b", []),
        ("target=lab", ["acme", "globex", "initech"]),
        ("target=elsewhere", []),
        ("plan=nothing", []),
        ("status=suspended", []),
    ],
)
def test_the_list_is_filtered_by_the_url(
    query: str, slugs: list[str], sign_in: SignIn, lab: Target
) -> None:
    acme = tenant("acme", lab).tenant
    Tenant.objects.filter(pk=acme.pk).update(labels={"team": "blue"})
    tenant("globex", lab, condition=Condition.CONFLICT, fullness=1.2)
    tenant("initech", lab, fullness=0.95)
    answer = sign_in(Role.VIEWER).get("/tenants/?" + query)
    assert [row.slug for row in answer.context["rows"]] == slugs


def test_an_empty_list_says_what_to_do_next(sign_in: SignIn) -> None:
    assert b"No tenants yet" in sign_in(Role.ADMIN).get("/tenants/").content
    assert b"No tenant matches" in sign_in(Role.ADMIN).get("/tenants/?q=zz").content


def test_a_tenant_page_shows_intended_enforced_used_and_headroom(
    sign_in: SignIn, lab: Target
) -> None:
    tenant("acme", lab)
    text = sign_in(Role.VIEWER).get("/tenants/acme/").content.decode()
    assert "4 used of 10" in text
    assert ">6<" in text  # the headroom, as a number


def test_a_conflict_names_the_owner_on_the_page(sign_in: SignIn, lab: Target) -> None:
    owners = {"spec.hard[pods]": "argocd"}
    tenant("acme", lab, condition=Condition.CONFLICT, owners=owners, message="Held by argocd")
    text = sign_in(Role.VIEWER).get("/tenants/acme/").content.decode()
    assert "argocd" in text
    assert "Nothing was forced" in text


def test_names_are_escaped_everywhere(sign_in: SignIn, lab: Target) -> None:
    placed = tenant("acme", lab, message="<script>alert(1)</script>", condition=Condition.REFUSED)
    Tenant.objects.filter(pk=placed.tenant_id).update(name="<img src=x onerror=alert(1)>")
    client = sign_in(Role.ADMIN)
    for path in ("/", "/tenants/", "/tenants/acme/", "/targets/lab/", "/search/?q=acme"):
        text = client.get(path).content.decode()
        assert "<script>alert" not in text
        assert "<img src=x" not in text


def test_the_overview_puts_conflicts_before_drift(sign_in: SignIn, lab: Target) -> None:
    tenant("drifty", lab, condition=Condition.DRIFTED)
    tenant("fighty", lab, condition=Condition.CONFLICT)
    tenant("fine", lab)
    page = sign_in(Role.VIEWER).get("/").context["page"]
    assert [row.name for row in page.attention] == ["fighty", "drifty"]
    assert page.attention_total == 2


def test_the_overview_leaves_suspended_tenants_out_of_those_over(
    sign_in: SignIn, lab: Target
) -> None:
    tenant("paused", lab, condition=Condition.SUSPENDED, fullness=99)
    tenant("over", lab, fullness=1.5)
    page = sign_in(Role.VIEWER).get("/").context["page"]
    assert page.over == 1
    assert [row.tenant for row in page.closest] == ["over"]


def test_the_overview_lists_tenants_over_a_limit_and_targets_away_and_links_to_them(
    sign_in: SignIn, lab: Target
) -> None:
    for number in range(20):
        tenant(f"t-{number:02}", lab, condition=Condition.CONFLICT)
    tenant("globex", lab, fullness=1.5)
    away = Target.objects.create(slug="away", name="Away", kind="kubernetes")
    TargetState.objects.create(target=away, condition=Condition.UNREACHABLE, message="No route")
    tenant("waits", away, condition=Condition.UNREACHABLE)
    page = sign_in(Role.VIEWER).get("/").context["page"]
    assert [row.condition for row in page.attention] == ["conflict"] * 10 + ["unreachable", "over"]
    assert [row.url for row in page.attention[-2:]] == ["/targets/away/", "/tenants/globex/"]
    assert page.attention_total == 22


def test_the_overview_lists_a_rollout_under_way_of_which_something_failed(
    sign_in: SignIn, lab: Target, plane: FakePlane, sent: list[Any]
) -> None:
    rollout = order([tenant(f"t-{number}", lab) for number in range(4)])
    first = RolloutItem.objects.filter(rollout=rollout).order_by("pk").values("pk")[:1]
    RolloutItem.objects.filter(pk__in=first).update(state=ItemState.REFUSED)
    row = sign_in(Role.VIEWER).get("/").context["page"].attention[0]
    assert row.url == f"/rollouts/{rollout.pk}/"
    assert row.message.endswith("0 of 4 done, 1 not")


def test_a_tenant_over_a_lease_is_told_of_the_lease_and_not_of_its_plan(
    sign_in: SignIn, lab: Target
) -> None:
    stark = tenant("stark", lab, fullness=1.5).tenant
    began = timezone.now() - timedelta(minutes=2)
    Lease.objects.create(
        tenant=stark, key="pods", value=1, reason="CHG-77", author="ann", starts_at=began,
        ends_at=began + timedelta(hours=4),
    )  # fmt: skip
    state = TenantState.objects.get(tenant=stark)
    state.tightest = [{"key": "pods", "target": "lab", "used": 3, "enforced": 2, "source": "lease"}]
    state.save()
    (line,) = sign_in(Role.VIEWER).get("/").context["page"].attention
    assert line.message.endswith("3 used of 2, by a lease")
    assert line.since == began


def test_a_process_that_was_started_again_is_a_line_on_the_overview_for_ten_minutes(
    sign_in: SignIn,
) -> None:
    client = sign_in(Role.VIEWER)
    services.started("worker")
    assert "a worker was started" not in client.get("/").content.decode()
    services.started("worker")
    text = client.get("/").content.decode()
    assert "In the last ten minutes" in text
    assert "a worker was started at" in text
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert "a worker was started" not in sign_in(Role.VIEWER).get("/").content.decode()


def test_a_target_that_lost_everything_is_one_line_on_the_overview(
    sign_in: SignIn, lab: Target
) -> None:
    Entry.objects.create(
        at=timezone.now(), actor_kind="loop", actor="sweep", action="target.lost",
        object_type="target", object_id=str(lab.pk), object_label=lab.slug,
        message="All that had been written to lab was gone at once (8 placements).",
    )  # fmt: skip
    text = sign_in(Role.VIEWER).get("/").content.decode()
    assert "was gone at once (8 placements)" in text
    assert "Nobody changed an object of ours" not in text


def test_a_quiet_overview_says_so(sign_in: SignIn, lab: Target) -> None:
    tenant("fine", lab)
    assert b"Nothing needs attention" in sign_in(Role.VIEWER).get("/").content


def test_the_overview_takes_a_bounded_number_of_queries(
    sign_in: SignIn, lab: Target, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = sign_in(Role.VIEWER)
    for number in range(30):
        tenant(f"t-{number}", lab, condition=Condition.CONFLICT)
    client.get("/")
    with django_assert_max_num_queries(28):
        client.get("/")


def test_a_rollout_shows_progress_and_groups_failures_by_cause(
    sign_in: SignIn, lab: Target, plane: FakePlane, sent: list[Any]
) -> None:
    placed = [tenant(f"t-{number}", lab) for number in range(4)]
    rollout = order(placed)
    items = RolloutItem.objects.filter(rollout=rollout).order_by("pk")
    items.filter(pk=items[0].pk).update(state=ItemState.DONE)
    for item in items[1:3]:
        RolloutItem.objects.filter(pk=item.pk).update(
            state=ItemState.CONFLICT, code="conflict", owners={"a": "argocd"}, message="held"
        )
    answer = sign_in(Role.OPERATOR).get(f"/rollouts/{rollout.pk}/")
    progress = answer.context["progress"]
    assert (progress.done, progress.bad, progress.waiting, progress.percent) == (1, 2, 1, 75)
    assert [(group.count, group.owner) for group in progress.groups] == [(2, "argocd")]
    assert b"Take over" in answer.content
    assert b"Take over" not in sign_in(Role.VIEWER).get(f"/rollouts/{rollout.pk}/").content


def test_a_live_part_stops_asking_when_nothing_moves(
    sign_in: SignIn, lab: Target, plane: FakePlane, sent: list[Any]
) -> None:
    rollout = order([tenant("acme", lab)])
    client = sign_in(Role.VIEWER)
    for state, status in ((ItemState.WAITING, 200), (ItemState.DONE, 286)):
        RolloutItem.objects.update(state=state)
        for part in ("rollout-live", "rollout-items"):
            live = {"HX-Request": "true", "HX-Target": part}
            answer = client.get(f"/rollouts/{rollout.pk}/", headers=live)
            assert answer.status_code == status
            assert b"<html" not in answer.content


@pytest.mark.parametrize(("action", "state"), [("retry", "waiting"), ("give_up", "superseded")])
def test_a_group_is_retried_or_left_with_a_reason(
    action: str, state: str, sign_in: SignIn, lab: Target, plane: FakePlane, sent: list[Any]
) -> None:
    rollout = order([tenant("acme", lab)])
    RolloutItem.objects.update(state=ItemState.CONFLICT)
    item = RolloutItem.objects.get()
    form = {"action": action, "items": str(item.pk), "reason": "agreed with the owner"}
    answer = sign_in(Role.OPERATOR).post(f"/rollouts/{rollout.pk}/group/", form)
    assert answer.status_code == 302
    item.refresh_from_db()
    assert item.state == state
    assert Entry.objects.filter(reason="agreed with the owner", actor="operator").count() == 1


def test_a_group_action_without_a_reason_changes_nothing(
    sign_in: SignIn, lab: Target, plane: FakePlane, sent: list[Any]
) -> None:
    rollout = order([tenant("acme", lab)])
    RolloutItem.objects.update(state=ItemState.CONFLICT)
    form = {"action": "retry", "items": str(RolloutItem.objects.get().pk), "reason": ""}
    answer = sign_in(Role.OPERATOR).post(f"/rollouts/{rollout.pk}/group/", form, follow=True)
    assert b"at least 3 characters" in answer.content
    assert RolloutItem.objects.get().state == ItemState.CONFLICT


def test_another_rollouts_items_are_not_touched(
    sign_in: SignIn, lab: Target, plane: FakePlane, sent: list[Any]
) -> None:
    mine, other = order([tenant("acme", lab)]), order([tenant("globex", lab)])
    RolloutItem.objects.update(state=ItemState.FAILED)
    foreign = RolloutItem.objects.get(rollout=other)
    form = {"action": "retry", "items": str(foreign.pk), "reason": "try again"}
    sign_in(Role.OPERATOR).post(f"/rollouts/{mine.pk}/group/", form)
    foreign.refresh_from_db()
    assert foreign.state == ItemState.FAILED


def test_a_connection_test_says_what_it_found(
    sign_in: SignIn, lab: Target, plane: FakePlane
) -> None:
    answer = sign_in(Role.OPERATOR).post("/targets/lab/test/", HTTP_HX_REQUEST="true")
    assert b"lab answers in" in answer.content
    assert Entry.objects.filter(action="target.test", actor="operator").count() == 1


def test_a_disabled_target_is_not_reached_out_to(
    sign_in: SignIn, lab: Target, plane: FakePlane
) -> None:
    Target.objects.update(enabled=False)
    answer = sign_in(Role.OPERATOR).post("/targets/lab/test/", HTTP_HX_REQUEST="true")
    assert b"neither read nor written" in answer.content


def test_drift_is_listed_with_who_did_it(sign_in: SignIn, lab: Target) -> None:
    placed = tenant("acme", lab)
    Drift.objects.create(
        placement=placed, tenant=placed.tenant, target=lab, found_at=timezone.now(),
        owner="kubectl-edit", outcome="open",
    )  # fmt: skip
    assert b"kubectl-edit" in sign_in(Role.VIEWER).get("/drift/?outcome=open").content
    assert b"No drift found" in sign_in(Role.VIEWER).get("/drift/?outcome=healed").content


def test_a_target_says_what_its_placements_warn_of(sign_in: SignIn, lab: Target) -> None:
    placed = [tenant("acme", lab), tenant("initech", lab)]
    text = "Workflows run on jobs too: eager activities bypass its limits."
    PlacementState.objects.filter(placement__in=placed).update(warnings=[text])
    page = sign_in(Role.VIEWER).get("/targets/lab/").content.decode()
    assert f"{text} <small>2 placements</small>" in page


def test_search_finds_tenants_namespaces_and_targets(sign_in: SignIn, lab: Target) -> None:
    tenant("acme", lab)
    client = sign_in(Role.VIEWER)
    results = client.get("/search/", {"q": "acm"}).context
    assert [row.slug for row in results["tenants"]] == ["acme"]
    assert [row.location for row in results["placements"]] == ["acme"]
    assert [row.slug for row in client.get("/search/", {"q": "la"}).context["targets"]] == ["lab"]
    assert b"Nothing is named" in client.get("/search/", {"q": "zzz"}).content
