"""The verbs on tenants, people and targets."""

from __future__ import annotations

from typing import Any

import pytest

from console.access.models import User
from console.audit.models import Entry
from console.audit.services import Actor
from console.errors import DomainError
from tenants.models import Membership, Target, Tenant
from tenants.services import governance as services

pytestmark = pytest.mark.django_db
LOOP = Actor.loop("test")
SAID: dict[str, Any] = {"actor": LOOP, "reason": "because"}


def said(content: Any) -> Any:
    """What an entry says of before or after: there must be something."""
    assert content is not None
    return content


def make_tenant(**fields: Any) -> Tenant:
    """acme, unless something else is given."""
    return services.create_tenant(**{"slug": "acme", "name": "Acme", **fields}, **SAID)


def make_target(**fields: Any) -> Target:
    """lab, a Kubernetes cluster, unless something else is given."""
    values = {"slug": "lab", "name": "Lab", "kind": "kubernetes", "kinds": ["kubernetes"], **fields}
    return services.create_target(**values, **SAID)


def test_a_new_tenant_is_one_entry() -> None:
    tenant = make_tenant(labels={"tier": "one"}, contact=" ann@acme.test ")
    assert (tenant.status, tenant.contact, tenant.generation) == ("active", "ann@acme.test", 1)
    entry = Entry.objects.get()
    assert (entry.action, entry.tenant, entry.object_id) == (
        "tenant.create",
        "acme",
        str(tenant.pk),
    )
    assert said(entry.after)["labels"] == {"tier": "one"}


@pytest.mark.parametrize(
    ("fields", "code", "field", "message"),
    [
        ({"slug": "Acme"}, "invalid", "slug", "DNS-1123"),
        ({"slug": ""}, "invalid", "slug", "blank"),
        ({"slug": "taken"}, "taken", "slug", "already exists"),
        ({"slug": "new"}, "reserved", "slug", "a word of the console"),
        ({"name": " "}, "invalid", "name", "blank"),
        ({"labels": {"a b": "x"}}, "invalid_label", "labels", "is not a label name"),
        ({"labels": {"a": 1}}, "invalid_label", "labels", "use a text"),
        ({"labels": {f"k{n}": "" for n in range(40)}}, "invalid_label", "labels", "too many"),
    ],
)
def test_what_is_wrong_with_a_tenant_is_named(
    fields: dict[str, Any], code: str, field: str, message: str
) -> None:
    make_tenant(slug="taken")
    with pytest.raises(DomainError) as refused:
        make_tenant(**fields)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert message in refused.value.message
    assert Tenant.objects.count() == 1


def test_an_update_says_before_and_after_of_what_changed() -> None:
    tenant = make_tenant(contact="ann")
    services.update_tenant(tenant=tenant, expected_generation=1, contact="bob", name="Acme", **SAID)
    assert tenant.generation == 2
    entry = Entry.objects.latest("pk")
    assert (entry.before, entry.after) == ({"contact": "ann"}, {"contact": "bob"})


def test_an_update_that_changes_nothing_writes_nothing() -> None:
    tenant = make_tenant()
    services.update_tenant(tenant=tenant, expected_generation=1, name="Acme", **SAID)
    assert tenant.generation == 1
    assert Entry.objects.count() == 1


def test_the_second_of_two_editors_is_refused() -> None:
    mine = make_tenant()
    theirs = Tenant.objects.get()
    services.update_tenant(tenant=theirs, expected_generation=1, name="Theirs", **SAID)
    with pytest.raises(DomainError, match="changed meanwhile") as refused:
        services.update_tenant(tenant=mine, expected_generation=1, name="Mine", **SAID)
    assert (refused.value.code, refused.value.status) == ("stale", 409)
    assert refused.value.detail == {"expected": 1, "generation": 2}
    assert Tenant.objects.get().name == "Theirs"


def test_members_come_and_go() -> None:
    tenant, ann = make_tenant(), User.objects.create_user("ann")
    membership = services.add_member(tenant=tenant, user=ann, **SAID)
    with pytest.raises(DomainError, match="member of this tenant already") as refused:
        services.add_member(tenant=tenant, user=ann, **SAID)
    assert refused.value.code == "taken"
    services.remove_member(membership=membership, **SAID)
    assert Membership.objects.count() == 0
    actions = [(entry.action, entry.tenant) for entry in Entry.objects.order_by("pk")[1:]]
    assert actions == [("tenant.member.add", "acme"), ("tenant.member.remove", "acme")]


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "in-cluster",
        "env:HEADROOM_CRED_TEMPORAL",
        "file:/run/secrets/token",
        "kubeconfig:/etc/headroom/config#prod",
        "kubeconfig:env:HEADROOM_CRED_KUBECONFIG#prod",
    ],
)
def test_references_to_credentials_are_taken(reference: str) -> None:
    assert make_target(credential=f" {reference} ").credential == reference


@pytest.mark.parametrize(
    "reference",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJl.c2ln",
        "hunter2",
        "env:eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJr",
        "env:not a name",
        "file:relative",
        "file:/a b",
        "kubeconfig:apiVersion: v1",
        "token:abc",
        "-----BEGIN RSA PRIVATE KEY-----\nabc",
    ],
)
def test_what_may_be_the_secret_itself_is_refused_and_not_repeated(reference: str) -> None:
    with pytest.raises(DomainError) as refused:
        make_target(credential=reference)
    assert (refused.value.code, refused.value.field) == ("invalid_credential", "credential")
    assert reference.split(":")[-1] not in refused.value.message
    assert "env:NAME" in refused.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoint": "https://ann:hunter2@temporal.test:7233"},
        {"endpoint": "ann:hunter2@temporal.test:7233"},
        {"options": {"api_key": "abc"}},
        {"options": {"tls": {"client_private_key": "abc"}}},
        {"options": {"headers": ["Bearer abc"]}},
        {"options": {"ca": "-----BEGIN CERTIFICATE-----"}},
        {"options": {"x": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJr"}},
        {"options": {"x": "A" * 64}},
    ],
)
def test_secrets_are_found_wherever_they_are_put(fields: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as refused:
        make_target(**fields)
    assert refused.value.code == "inline_secret"
    assert refused.value.field in fields
    assert "hunter2" not in refused.value.message
    assert Target.objects.count() == 0


def test_a_kind_without_an_adapter_is_refused() -> None:
    with pytest.raises(DomainError, match="'nomad' has no adapter; use one of kubernetes"):
        make_target(kind="nomad")


def test_a_target_is_not_called_what_a_page_is_called() -> None:
    with pytest.raises(DomainError, match="choose another short name"):
        make_target(slug="dots")


def test_a_target_is_updated_against_its_generation() -> None:
    target = make_target()
    services.update_target(
        target=target, expected_generation=1, enabled=False, options={"a": 1}, **SAID
    )
    assert (target.enabled, target.generation) == (False, 2)
    with pytest.raises(DomainError, match="changed meanwhile"):
        services.update_target(target=target, expected_generation=1, name="x", **SAID)
    with pytest.raises(DomainError, match="'kind' of a target cannot be changed"):
        services.update_target(target=target, expected_generation=2, kind="temporal", **SAID)
    with pytest.raises(DomainError) as refused:
        services.update_target(target=target, expected_generation=2, credential="abc", **SAID)
    assert refused.value.code == "invalid_credential"
    assert [entry.action for entry in Entry.objects.order_by("pk")] == [
        "target.create", "target.update",
    ]  # fmt: skip


def test_a_place_is_taken_once() -> None:
    target = make_target()
    services.place(tenant=make_tenant(), target=target, location="acme", **SAID)
    with pytest.raises(DomainError, match="placed there already") as refused:
        services.place(tenant=make_tenant(slug="b"), target=target, location="acme", **SAID)
    assert (refused.value.code, refused.value.status) == ("taken", 409)


@pytest.mark.parametrize("reason", ["", " no "])
def test_every_verb_asks_for_a_reason(reason: str) -> None:
    with pytest.raises(DomainError, match="at least 3 characters"):
        services.create_tenant(slug="acme", name="Acme", actor=LOOP, reason=reason)
    assert Tenant.objects.count() == 0
