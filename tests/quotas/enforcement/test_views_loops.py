"""A scheduler that is dead is said on every page that would else claim that all is well."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from console.access.models import Role
from console.loops.contracts import BEAT
from quotas.enforcement.models import TargetState
from tenants.models import Target
from tests.console.loops.rows import all_run, stopped
from tests.quotas.enforcement.page_rows import SignIn, tenant

PAGES = ["/", "/tenants/acme/", "/targets/lab/", "/tenants/", "/targets/"]
DEAD = "Nothing has checked the limits"


@pytest.fixture
def client(sign_in: SignIn, lab: Target) -> Client:
    """Somebody who looks at acme on lab, which was compared a moment ago."""
    all_run()
    tenant("acme", lab)
    now = timezone.now()
    TargetState.objects.update(swept_at=now, checked_at=now)
    return sign_in(Role.VIEWER)


def text(client: Client, path: str) -> str:
    """What the page says, in one line."""
    return " ".join(client.get(path).content.decode().split())


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_said_while_the_loops_run(client: Client, path: str) -> None:
    page = text(client, path)
    assert "<span>Synced</span>" in page
    assert 'class="note bad"' not in page
    assert "Not checked" not in page


@pytest.mark.parametrize("path", PAGES)
def test_a_dead_scheduler_is_said_with_since_when_and_what_to_do(client: Client, path: str) -> None:
    at = stopped(BEAT, "tick", "ingest")
    page = text(client, path)
    assert f"{DEAD} since {at:%H:%M} UTC, <time" in page
    assert "4 min ago</time>: the scheduler is not running." in page
    assert "Start it: <code>celery -A console beat</code>" in page
    assert "Not checked" in page
    assert "<span>Synced</span>" not in page


@pytest.mark.parametrize("path", PAGES)
def test_a_target_that_is_not_compared_is_not_claimed_to_be_in_sync(
    client: Client, path: str
) -> None:
    at = timezone.now() - timedelta(minutes=20)
    Target.objects.update(updated_at=at)
    TargetState.objects.update(swept_at=at)
    page = text(client, path)
    assert f"lab has not been compared with what is intended since {at:%H:%M} UTC" in page
    assert "Not checked" in page


def test_as_intended_says_as_of_when(client: Client) -> None:
    at = timezone.now() - timedelta(seconds=50)
    TargetState.objects.update(swept_at=at)
    page = text(client, "/")
    assert '<dt>Placements as intended</dt> <dd class="num"> 1 of 1 <small>as of <time' in page
    assert f'title="{at:%Y-%m-%d %H:%M:%S} UTC">50 s ago</time>' in page
    assert "Every placement enforces what is intended, as of <time" in page


def test_as_intended_is_not_claimed_when_nobody_has_checked(client: Client) -> None:
    stopped(BEAT, "tick")
    page = text(client, "/")
    assert "<dt>Placements as intended, when last checked</dt>" in page
    assert "Nothing needs attention" not in page
    assert "Nobody knows whether something needs attention" in page


def test_the_dots_of_the_top_bar_do_not_claim_it_either(client: Client) -> None:
    assert "lab: synced" in text(client, "/targets/dots/")
    stopped(BEAT, "tick")
    assert "lab: unchecked" in text(client, "/targets/dots/")


def test_a_tenant_and_its_placements_carry_their_as_of(client: Client) -> None:
    page = text(client, "/tenants/acme/")
    assert page.count("<small>as of <time") == 2


def test_a_target_that_cannot_be_reached_is_no_loop_that_stands_still(client: Client) -> None:
    old, soon = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(seconds=20)
    TargetState.objects.update(
        condition="unreachable", failures=5, swept_at=old, checked_at=old, not_before=soon
    )
    page = text(client, "/")
    assert "has not been compared" not in page
    assert "has not been probed" not in page


def test_a_disabled_target_is_not_missed(client: Client) -> None:
    Target.objects.update(enabled=False, updated_at=timezone.now() - timedelta(days=1))
    TargetState.objects.update(swept_at=None, checked_at=None)
    assert "has not been" not in text(client, "/")
