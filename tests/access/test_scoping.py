"""What `visible_to` shows: console roles everything, a tenant's own people what is theirs."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models

from console.access.models import User
from console.access.scoping import TenantScoped
from observability.replays.models import Replay, ReplayResult
from quotas.enforcement.models import Rollout, RolloutItem
from tests.access import world
from tests.access.world import FOREIGN, OWN, World
from tests.observability.jobs.factories import make_run

MODELS = sorted(
    (m for m in apps.get_models() if isinstance(m._default_manager.all(), TenantScoped)),
    key=lambda model: model.__name__,
)


@pytest.fixture
def built(db: None) -> World:
    return world.build()


def visible(model: type[models.Model], who: str) -> list[models.Model]:
    rows = model._default_manager.all()
    assert isinstance(rows, TenantScoped)
    return list(rows.visible_to(User.objects.get(username=who)))


def test_members_see_their_own_row_of_every_model_and_nobody_elses(built: World) -> None:
    assert {model.__name__ for model in MODELS} == set(built.rows[OWN])
    for model in MODELS:
        assert visible(model, "member") == [built.rows[OWN][model.__name__]], model
        assert visible(model, "member of another") == [built.rows[FOREIGN][model.__name__]], model
        assert visible(model, "nobody") == [], model


@pytest.mark.parametrize("who", ["admin", "operator", "viewer"])
def test_console_roles_see_every_row_by_the_same_query_as_without(built: World, who: str) -> None:
    user = User.objects.get(username=who)
    for model in MODELS:
        rows = model._default_manager.all()
        assert isinstance(rows, TenantScoped)
        assert str(rows.visible_to(user).query) == str(rows.query), model


def test_a_whole_of_several_tenants_is_nobodys_and_its_parts_stay_their_own(built: World) -> None:
    foreign = built.rows[FOREIGN]
    RolloutItem.objects.filter(tenant_id=foreign["Tenant"].pk).update(
        rollout_id=built.rows[OWN]["Rollout"].pk
    )
    ReplayResult.objects.filter(run_id=foreign["JobRun"].pk).update(
        replay_id=built.rows[OWN]["Replay"].pk
    )
    for who in ("member", "member of another"):
        assert visible(Rollout, who) == visible(Replay, who) == []
        assert len(visible(RolloutItem, who)) == len(visible(ReplayResult, who)) == 1


def test_a_whole_with_a_part_of_no_tenant_is_nobodys(built: World) -> None:
    run = make_run(external_id="unattributed")
    replay = Replay.objects.get(pk=built.rows[OWN]["Replay"].pk)
    ReplayResult.objects.create(replay=replay, run=run)
    assert visible(Replay, "member") == []


def test_a_member_twice_over_finds_every_row_once(built: World) -> None:
    member = User.objects.get(username="member")
    built.rows[FOREIGN]["Tenant"].memberships.create(user=member)  # type: ignore[attr-defined]  # a Tenant
    for model in MODELS:
        if model.__name__ != "Proposal":  # its author's, whose tenants it may name
            rows = visible(model, "member")
            assert len(rows) == len(set(rows)) >= 2, model
