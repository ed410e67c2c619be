"""Adding and editing targets."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from console.audit.models import Entry
from quotas.changes.forms.targets import shown_options
from quotas.enforcement.adapters import registry
from tenants.models import Target
from tests.quotas.changes.page_client import browser, field_value, said

NEW = reverse("changes:target_new")
TEMPORAL: dict[str, Any] = {
    "slug": "temporal-eu", "kind": "temporal", "endpoint": "temporal.example:7233",
    "credential": "env:HEADROOM_CRED_TEMPORAL", "namespace": "jobs",
    "queues": "jobs-shared 10/s 100/s\nbulk - 5/s\nplain", "more": "tls: true",
    "drift_policy": "hold", "concurrency": "8", "enabled": "on", "reason": "new region",
}  # fmt: skip
OPTIONS = {
    "tls": True,
    "namespace": "jobs",
    "queues": {
        "jobs-shared": {"base_rate": 10_000, "queue_rate": 100_000},
        "bulk": {"queue_rate": 5_000},
        "plain": {},
    },
}


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    known = ("kubernetes", "temporal", "argo", "memory")
    monkeypatch.setattr(registry, "kinds", lambda: known)


def test_a_target_is_added_and_its_connection_tested(dataset: SimpleNamespace) -> None:
    saved = browser().post(NEW, TEMPORAL, follow=True)
    target = Target.objects.get(slug="temporal-eu")
    assert (target.name, target.kind, target.concurrency) == ("temporal-eu", "temporal", 8)
    assert (target.drift_policy, target.options) == ("hold", OPTIONS)
    assert "temporal-eu is saved" in said(saved)
    test = reverse("enforcement:target_test", args=["temporal-eu"])
    assert f'hx-post="{test}"' in saved.content.decode()
    assert f'<form method="post" action="{test}">' in saved.content.decode()


def test_options_are_shown_as_they_are_written() -> None:
    shown = shown_options(OPTIONS)
    assert shown["namespace"] == "jobs"
    assert shown["queues"] == "jobs-shared 10/s 100/s\nbulk – 5/s\nplain"
    assert shown["more"] == "tls: true"
    assert set(shown_options({}).values()) == {""}


def test_a_cluster_says_where_its_pods_ask_for_names(dataset: SimpleNamespace) -> None:
    form = {
        "slug": "openshift-eu", "kind": "kubernetes", "credential": "in-cluster",
        "dns": "openshift-dns 5353", "drift_policy": "heal", "concurrency": "8", "enabled": "on",
        "reason": "new region",
    }  # fmt: skip
    saved = browser().post(NEW, form, follow=True)
    target = Target.objects.get(slug="openshift-eu")
    assert "openshift-eu is saved" in said(saved)
    assert target.options == {
        "dns": {"namespaces": ["openshift-dns"], "networks": [], "ports": [5353]}
    }
    page = browser().get(reverse("changes:target_edit", args=["openshift-eu"]))
    assert field_value(page, "dns") == "openshift-dns 5353"
    wrong = browser().post(NEW, {**form, "slug": "another", "dns": "53"})
    assert wrong.status_code == 422
    assert "name namespaces, networks and ports, such as openshift-dns 5353" in said(wrong)


def test_editing_keeps_slug_and_kind_and_what_temporal_says(dataset: SimpleNamespace) -> None:
    admin = browser()
    admin.post(NEW, TEMPORAL)
    path = reverse("changes:target_edit", args=["temporal-eu"])
    page = admin.get(path)
    form = {
        **TEMPORAL, "slug": "other", "kind": "memory", "enabled": "", "queues": "jobs-shared 20/s",
        "generation": field_value(page, "generation"), "reason": "twice as fast",
    }  # fmt: skip
    form.pop("enabled")
    saved = admin.post(path, form, follow=True)
    assert "It is disabled" in said(saved)
    target = Target.objects.get(slug="temporal-eu")
    assert (target.kind, target.enabled) == ("temporal", False)
    assert target.options["queues"] == {"jobs-shared": {"base_rate": 20_000}}
    late = admin.post(path, {**form, "endpoint": "elsewhere:7233"})
    assert late.status_code == 422
    assert "temporal-eu was changed meanwhile" in said(late)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"slug": "Temporal EU"}, "Use 1 to 63 lower-case letters"),
        ({"slug": "lab"}, "already exists"),
        ({"kind": "mainframe"}, "mainframe is not one of the available choices"),
        ({"credential": "hunter2-hunter2"}, "a secret is never stored here; use kubeconfig:"),
        ({"more": "password: hunter2"}, "options.password is named like a secret"),
        ({"more": "[1, 2]"}, "Use a mapping such as tls: true."),
        ({"more": "a: [b"}, "This is neither YAML nor JSON in line 1."),
        ({"more": "ca: 2026-13-01"}, "ca in line 1: 2026-13-01 is read as a date by YAML 1.1"),
        ({"more": "ca: 0000-00-00"}, "ca in line 1: 0000-00-00 is read as a date by YAML 1.1"),
        ({"more": f"retention_seconds: {'9' * 5000}"}, "has more than 20 digits"),
        ({"more": "a: " + "[" * 5000}, "Line 1: more than 20 lists and mappings"),
        ({"more": "[" * 15_000}, "Line 1: more than 20 lists and mappings"),
        ({"more": "x" * 20_001}, "at most 20000 characters"),
        ({"more": "retention_seconds: 010"}, "is read as 8 by YAML 1.1"),
        ({"more": "tls: yes"}, "tls in line 1: yes is read as true by YAML 1.1"),
        ({"more": "tls: true\ntls: false"}, "tls in line 2: it stands twice"),
        ({"more": "a: 1\n---\nb: 2"}, "Use a mapping such as tls: true."),
        ({"more": "queues: {}"}, "queues has a field of its own above"),
        ({"more": "ui_url: http://a"}, "ui_url has a field of its own above"),
        ({"ui_url": "javascript:alert(1)"}, "use an http or https URL"),
        ({"logs_url": "https://logs.example/{host}"}, "{host} is unknown"),
        ({"trail_retention_days": "0"}, "greater than or equal to 1"),
        ({"queues": "jobs fast"}, "Line 1: 'fast' is not accepted"),
        ({"queues": "jobs 10/m"}, "Line 1: a rate is per second; did you mean 0.167/s for 10/m?"),
        ({"queues": "a 1/s 2/s 3/s"}, "write each queue once"),
        ({"queues": "a\na"}, "Line 2"),
        ({"concurrency": "0"}, "greater than or equal to 1"),
        ({"reason": ""}, "This field is required."),
    ],
)
def test_what_is_wrong_with_a_target_stands_at_its_field(
    dataset: SimpleNamespace, wrong: dict[str, str], message: str
) -> None:
    before = Entry.objects.count()
    response = browser().post(NEW, {**TEMPORAL, **wrong})
    assert response.status_code == 422
    assert message in said(response)
    assert b'aria-invalid="true"' in response.content
    assert (Target.objects.count(), Entry.objects.count()) == (2, before)


def test_a_secret_that_was_entered_is_not_kept_in_the_ledger(dataset: SimpleNamespace) -> None:
    browser().post(NEW, {**TEMPORAL, "credential": "hunter2-hunter2"})
    assert not Entry.objects.filter(message__contains="hunter2").exists()
    assert not Entry.objects.filter(after__icontains="hunter2").exists()


LINKS = {
    "ui_url": "https://argo.example",
    "trace_url": "https://tempo.example/{trace_id}",
    "logs_url": "https://logs.example/?q={pod}",
}
ARGO: dict[str, Any] = {
    "slug": "argo-eu", "kind": "argo", "credential": "kubeconfig:/etc/headroom/eu",
    "argo_server": "https://argo.example:2746", "argo_server_token": "env:HEADROOM_CRED_ARGO",
    "trail_retention_days": "30", "drift_policy": "hold", "concurrency": "8", "enabled": "on",
    "reason": "workflows too", **LINKS,
}  # fmt: skip


def test_an_argo_target_has_its_server_and_its_links(dataset: SimpleNamespace) -> None:
    admin = browser()
    assert admin.post(NEW, {**ARGO, "namespace": "is Temporal's"}).status_code == 302
    target = Target.objects.get(slug="argo-eu")
    assert target.options == {
        "argo_server": "https://argo.example:2746",
        "argo_server_token": "env:HEADROOM_CRED_ARGO",
        "trail_retention_days": 30,
        **LINKS,
    }
    page = admin.get(reverse("changes:target_edit", args=["argo-eu"]))
    assert field_value(page, "logs_url") == "https://logs.example/?q={pod}"
    assert field_value(page, "trail_retention_days") == "30"


def test_the_token_of_an_argo_server_is_never_stored_itself(dataset: SimpleNamespace) -> None:
    response = browser().post(NEW, {**ARGO, "argo_server_token": "abcdef"})
    assert response.status_code == 422
    assert "options.argo_server_token is named like a secret" in said(response)
    assert not Target.objects.filter(slug="argo-eu").exists()


def edited(slug: str, form: dict[str, Any], **change: str) -> Any:
    """The answer to an edit that changes so much of the form."""
    admin, path = browser(), reverse("changes:target_edit", args=[slug])
    page = admin.get(path)
    generation = field_value(page, "generation")
    return admin.post(path, {**form, "generation": generation, "reason": "moved", **change})


def test_an_edited_target_keeps_its_credential_which_is_not_in_the_form(
    dataset: SimpleNamespace,
) -> None:
    browser().post(NEW, ARGO)
    page = browser().get(reverse("changes:target_edit", args=["argo-eu"]))
    for name in ("credential", "argo_server_token"):
        (tag,) = re.findall(rf'<input[^>]*name="{name}"[^>]*>', page.content.decode())
        assert "value=" not in tag
    assert 'placeholder="kubeconfig:/etc/headroom/eu"' in page.content.decode()
    kept = {**ARGO, "credential": "", "argo_server_token": ""}
    assert edited("argo-eu", kept, concurrency="9").status_code == 302
    target = Target.objects.get(slug="argo-eu")
    assert (target.concurrency, target.credential) == (9, ARGO["credential"])
    assert target.options["argo_server_token"] == ARGO["argo_server_token"]


def test_another_address_needs_the_credential_typed_again(dataset: SimpleNamespace) -> None:
    browser().post(NEW, TEMPORAL)
    moved = {**TEMPORAL, "endpoint": "elsewhere.example:7233"}
    refused = edited("temporal-eu", moved, credential="")
    assert refused.status_code == 422
    assert "say again where the credential is" in said(refused)
    plain = edited("temporal-eu", TEMPORAL, credential="", more="")  # TLS is left out
    assert "say again where the credential is" in said(plain)
    assert Target.objects.get(slug="temporal-eu").endpoint == TEMPORAL["endpoint"]
    assert edited("temporal-eu", moved).status_code == 302
    assert Target.objects.get(slug="temporal-eu").endpoint == "elsewhere.example:7233"


def test_another_argo_server_needs_its_token_typed_again(dataset: SimpleNamespace) -> None:
    browser().post(NEW, ARGO)
    moved = {**ARGO, "credential": "", "argo_server": "https://elsewhere.example:2746"}
    refused = edited("argo-eu", moved, argo_server_token="")
    assert refused.status_code == 422
    assert "the token would be sent there" in said(refused)
    less = edited(
        "argo-eu",
        {**ARGO, "credential": ""},
        argo_server_token="",
        more="argo_server_insecure: true",
    )
    assert "the token would be sent there" in said(less)
    assert edited("argo-eu", moved).status_code == 302
    options = Target.objects.get(slug="argo-eu").options
    assert options["argo_server"] == "https://elsewhere.example:2746"


def test_a_credential_is_taken_away_by_a_word(dataset: SimpleNamespace) -> None:
    browser().post(NEW, ARGO)
    assert edited("argo-eu", ARGO, credential="none", argo_server_token="none").status_code == 302
    target = Target.objects.get(slug="argo-eu")
    assert target.credential == ""
    assert "argo_server_token" not in target.options
