"""What cannot be read on a target: counted, bounded for each tenant, shown, forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from console.access.models import Role, User
from console.audit.services import Actor
from tenants.contracts import Unreadable
from tenants.models import Placement, Reader, Target, Tenant, UnreadableObject
from tenants.selectors import SHOWN, unreadable_of, unreadable_on
from tenants.services import governance as services
from tenants.services.unreadable import (
    KEPT,
    MOST_KEPT,
    note_readable,
    note_unreadable,
    prune_unreadable,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LOOP: dict[str, Any] = {"actor": Actor.loop("test"), "reason": "because"}


@pytest.fixture
def target() -> Target:
    """A cluster."""
    return services.create_target(
        slug="lab", name="Lab", kind="kubernetes", kinds=["kubernetes"], **LOOP
    )


@pytest.fixture
def acme(target: Target) -> Tenant:
    """A tenant with a namespace there."""
    tenant = services.create_tenant(slug="acme", name="Acme", **LOOP)
    Placement.objects.create(tenant=tenant, target=target, location="acme-jobs")
    return tenant


def workflow(name: str, location: str = "acme-jobs", **more: Any) -> Unreadable:
    """A Workflow whose templates are no list."""
    return Unreadable("Workflow", location, name, "spec.templates is no list", **more)


def note(target: Target, *objects: Unreadable, now: datetime = NOW, complete: bool = False) -> int:
    """Notes them as the reader of limits does."""
    return note_unreadable(
        target_id=target.pk, reader=Reader.LIMITS, objects=objects, now=now, complete=complete
    )


def test_an_object_is_whose_namespace_it_is_in(target: Target, acme: Tenant) -> None:
    assert note(target, workflow("a"), workflow("b", "elsewhere")) == 2
    rows = dict(UnreadableObject.objects.values_list("name", "tenant__slug"))
    assert rows == {"a": "acme", "b": None}


def test_a_declared_tenant_counts_where_it_is_placed_only(target: Target, acme: Tenant) -> None:
    services.create_tenant(slug="other", name="Other", **LOOP)
    note(target, workflow("a", "queue", tenant="acme"), workflow("b", "queue", tenant="other"))
    rows = dict(UnreadableObject.objects.values_list("name", "tenant__slug"))
    assert rows == {"a": "acme", "b": None}


def test_the_same_object_met_again_is_counted_not_doubled(target: Target, acme: Tenant) -> None:
    later = NOW + timedelta(minutes=1)
    note(target, workflow("a"))
    note(target, workflow("a"), now=later)
    row = UnreadableObject.objects.get()
    assert (row.times, row.first_at, row.last_at) == (2, NOW, later)


def test_what_a_complete_reading_does_not_meet_is_forgotten(target: Target, acme: Tenant) -> None:
    note(target, workflow("a"), workflow("b"))
    note(target, workflow("b"), complete=True)
    assert [row.name for row in UnreadableObject.objects.all()] == ["b"]
    assert note(target, complete=True) == 0
    assert not UnreadableObject.objects.exists()


def test_one_tenants_many_push_out_nobody_elses(target: Target, acme: Tenant) -> None:
    note(target, workflow("neighbour", "elsewhere"))
    for turn in range(3):
        many = [workflow(f"{turn}-{number}") for number in range(MOST_KEPT)]
        note(target, *many, now=NOW + timedelta(minutes=turn))
    assert UnreadableObject.objects.filter(tenant=acme).count() == MOST_KEPT
    assert UnreadableObject.objects.filter(name="neighbour").exists()
    newest = unreadable_of(acme)
    assert newest is not None
    assert {row.name[0] for row in newest.objects} == {"2"}


def test_of_many_a_page_names_some_and_counts_the_others(target: Target, acme: Tenant) -> None:
    assert unreadable_on(target) is None
    note(target, *[workflow(str(number)) for number in range(SHOWN + 3)])
    summary = unreadable_on(target)
    assert summary is not None
    assert (summary.number, len(summary.objects), summary.others) == (SHOWN + 3, SHOWN, 3)


def test_what_no_database_takes_is_noted_all_the_same(target: Target, acme: Tenant) -> None:
    note(target, Unreadable("K" * 900, "x\0" * 900, "\ud800", "\ud800" * 900))
    row = UnreadableObject.objects.get()
    assert (row.kind, row.name) == ("K" * 63, "\ufffd")


def test_what_nobody_meets_any_more_is_pruned(target: Target, acme: Tenant) -> None:
    note(target, workflow("a"))
    assert prune_unreadable(now=NOW + KEPT) == 0
    assert prune_unreadable(now=NOW + KEPT + timedelta(seconds=1)) == 1


def test_both_pages_name_it_with_what_is_wrong(
    target: Target, acme: Tenant, client: Client
) -> None:
    note(target, workflow("nightly\u202egnp"))
    client.force_login(User.objects.create_user("v", role=Role.VIEWER))
    for path in (f"/targets/{target.slug}/", "/tenants/acme/"):
        content = client.get(path).content.decode()
        assert "acme-jobs/nightly⟨U+202E⟩gnp" in content
        assert "spec.templates is no list" in content
    assert "1 object of acme" in " ".join(content.split())


def test_rest_and_metrics_tell_what_cannot_be_read(
    target: Target, acme: Tenant, client: Client
) -> None:
    note(target, workflow("a"), workflow("b", "elsewhere"))
    client.force_login(User.objects.create_user("v", role=Role.VIEWER))
    rows = client.get("/api/v1/unreadable/?tenant=acme&target=lab&reader=limits").json()["results"]
    assert [(row["name"], row["tenant"], row["problem"]) for row in rows] == [
        ("a", "acme", "spec.templates is no list")
    ]
    assert len(client.get("/api/v1/unreadable/").json()["results"]) == 2
    metrics = client.get("/metrics").content.decode()
    assert 'headroom_unreadable_objects{reader="limits",target="lab"} 2.0' in metrics


def test_what_both_readers_meet_is_one_thing(target: Target, acme: Tenant) -> None:
    note(target, workflow("a"), workflow("b"))
    note_unreadable(target_id=target.pk, reader=Reader.JOBS, objects=[workflow("a")], now=NOW)
    for summary in (unreadable_on(target), unreadable_of(acme)):
        assert summary is not None
        assert summary.number == 2
        assert sorted(row.name for row in summary.objects) == ["a", "b"]


def test_what_can_be_read_again_is_forgotten(target: Target, acme: Tenant) -> None:
    objects = [workflow("a"), workflow("b")]
    note_unreadable(target_id=target.pk, reader=Reader.JOBS, objects=objects, now=NOW)
    names = {("acme-jobs", "a"), ("elsewhere", "b")}
    note_readable(target_id=target.pk, reader=Reader.JOBS, names=names)
    assert list(UnreadableObject.objects.values_list("name", flat=True)) == ["b"]
