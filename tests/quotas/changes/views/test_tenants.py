"""Pages that change one tenant or several: from the form to the rollout."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from console.audit.services import Actor
from quotas.changes.models import Proposal
from quotas.enforcement.models import PlacementState
from quotas.plans.models import Lease, Override, PlanVersion
from quotas.plans.services import adjustments
from tenants.models import Placement, Target, Tenant
from tests.quotas.changes.memory_adapter import MemoryAdapter
from tests.quotas.changes.page_client import (
    browser,
    field_value,
    of,
    said,
    through,
)

ONBOARD = reverse("changes:onboard")
NEW = {"slug": "umbrella", "plan": "standard"}


def test_a_tenant_is_on_boarded_with_what_was_left_empty_filled_in(
    dataset: SimpleNamespace,
) -> None:
    form = {
        **NEW, "labels": "team=blue\ntier = 2", "place-target": ["lab", ""],
        "place-location": ["", ""], "place-sharing": ["", ""], "place-fairness_key": ["", ""],
    }  # fmt: skip
    rollout = through(browser(), ONBOARD, form)
    tenant = Tenant.objects.get(slug="umbrella")
    assert (tenant.name, tenant.labels) == ("umbrella", {"team": "blue", "tier": "2"})
    assert [str(place) for place in tenant.placements.all()] == ["lab/umbrella"]
    assert rollout.total == 1


def test_a_shared_queue_gets_the_tenants_name_as_its_key(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    Target.objects.filter(slug="spare").update(options={"queues": {"jobs-shared": {}}})
    through(browser(), ONBOARD, {**NEW, "place-target": "spare"})
    place = Placement.objects.get(tenant__slug="umbrella")
    assert (place.location, place.sharing, place.fairness_key) == (
        "jobs-shared", "shared", "umbrella",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"slug": "Umbrella!"}, "Use 1 to 63 lower-case letters"),
        ({"slug": "acme"}, "'acme' is taken; slugs are never given twice"),
        ({"slug": "new"}, "'new' is a word of the console"),
        ({"plan": ""}, "This field is required."),
        ({"labels": "team"}, "Line 1: 'team' is not a label; write name=value."),
        ({"labels": "a=1\na=2"}, "Line 2: a is there twice"),
        ({"labels": "-=1"}, "'-' is not a label name"),
        ({"place-target": "lab", "place-location": "kube-system"}, "belongs to Kubernetes"),
        ({"place-target": "", "place-location": "here"}, "Choose a target, or empty the row."),
        ({"place-target": "lab", "place-location": "acme"}, "choose another one"),
    ],
)
def test_what_is_wrong_with_a_new_tenant_stands_at_its_field(
    dataset: SimpleNamespace, wrong: dict[str, str], message: str
) -> None:
    response = browser().post(ONBOARD, {**NEW, **wrong})
    assert response.status_code == 422
    assert message in said(response)
    assert b'aria-invalid="true"' in response.content
    assert Proposal.objects.filter(status="draft").count() == 0


def test_places_are_added_and_removed_without_javascript(dataset: SimpleNamespace) -> None:
    admin = browser()
    form = {
        **NEW, "place-target": ["lab", "spare"], "place-location": ["one", "two"],
        "place-sharing": ["", ""], "place-fairness_key": ["", ""],
    }  # fmt: skip
    more = admin.post(ONBOARD, {**form, "add": "place"})
    assert more.status_code == 200
    assert more.content.count(b'name="place-target"') == 3 + 1  # and the browser's own blank one
    assert 'value="umbrella"' in more.content.decode()
    less = admin.post(ONBOARD, {**form, "remove": "place:0"}).content.decode()
    assert 'value="two"' in less
    assert 'value="one"' not in less


def test_a_lease_for_some_hours(dataset: SimpleNamespace) -> None:
    form = {"key": "cpu", "value": "60 cores", "how": "lease", "span": "4"}
    through(browser(), of("limits"), form)
    lease = Lease.objects.get()
    assert (lease.key, lease.value, lease.reason) == ("requests.cpu", 60_000, "because")
    left = lease.ends_at - timezone.now()
    assert timedelta(hours=3.9) < left < timedelta(hours=4)


def test_a_lease_until_a_moment_and_an_override_without_end(dataset: SimpleNamespace) -> None:
    until = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    form = {"key": "pods", "value": "150", "how": "lease", "span": "until"}
    through(browser(), of("limits"), {**form, "until": f"{until:%Y-%m-%dT%H:%M}"})
    assert Lease.objects.get().ends_at == until
    through(browser(), of("limits"), {"key": "pods", "value": "unlimited", "how": "override"})
    assert Override.objects.get().value is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"key": "cpus"}, "'cpus' is not a limit"),
        ({"key": ""}, "This field is required."),
        ({"value": "many"}, "'many' is not accepted"),
        ({"value": "1.5"}, "must come to whole"),
        ({"key": "memory", "value": "400m"}, "400m is 0.4 bytes; did you mean 400Mi?"),
        ({"span": "until"}, "Say until when, or choose for how long."),
        ({"span": "until", "until": "2020-01-01T00:00"}, "2020-01-01 00:00 UTC is over"),
        ({"span": "until", "until": "2020-01-01T00:00+05:30"}, "2019-12-31 18:30 UTC is over"),
        ({"span": "until", "until": "tomorrow"}, "Enter a valid date/time."),
        ({"span": "until", "until": "9999-12-31T23:59:59-12:00"}, "-12:00' is not accepted"),
        ({"span": "until", "until": "0001-01-01T00:00:00+12:00"}, "+12:00' is not accepted"),
    ],
)
def test_what_is_wrong_with_a_limit_stands_at_its_field(
    dataset: SimpleNamespace, wrong: dict[str, str], message: str
) -> None:
    form = {"key": "pods", "value": "150", "how": "lease", "span": "4", **wrong}
    response = browser().post(of("limits"), form)
    assert response.status_code == 422
    assert message in said(response)


def test_the_page_shows_what_is_in_force_and_prefills_what_is_chosen(
    dataset: SimpleNamespace, alice: Actor
) -> None:
    until = timezone.now() + timedelta(hours=2, minutes=1)
    adjustments.grant_lease(
        tenants=[dataset.acme], key="pods", value=0, until=until, actor=alice, reason="too many"
    )
    PlacementState.objects.create(
        placement=dataset.placements["acme"], limits={"requests.cpu": {"used": 38_200}}
    )
    page = browser().get(of("limits"), {"key": "requests.cpu"})
    text = said(page)
    assert "40 cores 38.2 cores plan standard v1" in text
    assert "0 lease, ends in 2 h alice: too many (plan: 100)" in text
    assert field_value(page, "value") == "40 cores"


def test_suspending_says_what_happens_to_what_runs_and_resuming_undoes_it(
    dataset: SimpleNamespace,
) -> None:
    admin = browser()
    assert "What runs already goes on until it ends" in said(admin.get(of("suspend")))
    through(admin, of("suspend"), {})
    assert Tenant.objects.get(slug="acme").status == "suspended"
    again = admin.post(of("suspend"))
    assert again.status_code == 422
    assert "none of them is active" in said(again)
    through(admin, of("resume"), {})
    assert Tenant.objects.get(slug="acme").status == "active"


def test_a_tenant_is_placed_moved_repaired_taken_over_and_displaced(
    dataset: SimpleNamespace, gold: PlanVersion
) -> None:
    admin = browser()
    through(admin, of("place", "globex"), {"target": "spare"})
    place = Placement.objects.get(tenant=dataset.globex, target__slug="spare")
    assert place.location == "globex"
    refused = admin.post(of("place", "globex"), {"target": "lab", "location": "kube-system"})
    assert refused.status_code == 422
    assert "belongs to Kubernetes" in said(refused)
    through(admin, of("move"), {"plan": "gold"})
    assert "gold v1 now" in said(admin.get(of("move")))
    for name in ("repair", "take_over"):
        rollout = through(admin, reverse(f"changes:{name}", args=[place.pk]), {})
        assert rollout.total == 1
    through(admin, reverse("changes:displace", args=[place.pk]), {}, confirm="globex")
    place.refresh_from_db()
    assert place.leaving


def test_leases_and_overrides_are_ended(dataset: SimpleNamespace, alice: Actor) -> None:
    said_so: dict[str, Any] = {"actor": alice, "reason": "load test"}
    until = timezone.now() + timedelta(hours=1)
    (lease,) = adjustments.grant_lease(
        tenants=[dataset.acme], key="pods", value=150, until=until, **said_so
    )
    (override,) = adjustments.set_override(tenants=[dataset.acme], key="pods", value=120, **said_so)
    admin = browser()
    path = reverse("changes:end_lease", args=[lease.pk])
    assert "pods (count): 150, granted by alice (load test)" in said(admin.get(path))
    through(admin, path, {})
    lease.refresh_from_db()
    assert lease.ends_at <= timezone.now()
    assert "may have ended by itself" in said(admin.post(path))
    through(admin, reverse("changes:end_override", args=[override.pk]), {})
    override.refresh_from_db()
    assert override.ends_at is not None


def test_off_boarding_types_the_name_and_lists_what_goes_and_what_stays(
    dataset: SimpleNamespace, plane: MemoryAdapter
) -> None:
    plane.memory.objects["lab", "acme"] = {"hard[pods]": 100}
    admin = browser()
    text = said(admin.get(of("offboard")))
    assert "Deleted: everything with Headroom's label at lab/acme." in text
    assert "Stays: the tenant itself with its history" in text
    refused = admin.post(of("offboard"), {"confirm": "acne"})
    assert refused.status_code == 422
    assert "'acne' is not 'acme'." in said(refused)
    rollout = through(admin, of("offboard"), {"confirm": "acme"}, confirm="acme")
    assert Tenant.objects.get(slug="acme").status == "offboarding"
    assert rollout.total == 2
