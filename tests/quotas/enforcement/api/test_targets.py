"""Targets over REST."""

from __future__ import annotations

from typing import Any

import pytest

from console.audit.models import Entry
from console.errors import Unreachable
from tenants.models import Target
from tests.quotas.enforcement.fakes import FakePlane
from tests.rest import Rest

WHY = {"reason": "second cluster"}
NEW = {
    "slug": "eu-1",
    "name": "EU 1",
    "kind": "kubernetes",
    "credential": "kubeconfig:/etc/headroom/eu#admin",
    "concurrency": 8,
    **WHY,
}


TEMPORAL = {"kind": "temporal", "credential": "env:HEADROOM_CRED_TEMPORAL"}


def queues(**rates: Any) -> dict[str, Any]:
    """A Temporal target with one shared queue."""
    return {**TEMPORAL, "options": {"queues": {"fair": rates}}}


def test_a_target_is_added_changed_and_listed(admin: Rest) -> None:
    made = admin.post("targets/", NEW)
    assert made.status_code == 201, made.content
    assert (made.json()["condition"], made.json()["placements"]) == ("unknown", 0)
    tag = admin.get("targets/eu-1/")["ETag"]
    body = {"enabled": False, "drift_policy": "hold", **WHY}
    assert admin.patch("targets/eu-1/", body).status_code == 428
    changed = admin.patch("targets/eu-1/", body, If_Match=tag)
    assert (changed.json()["enabled"], changed.json()["drift_policy"]) == (False, "hold")
    assert admin.patch("targets/eu-1/", body, If_Match=tag).status_code == 412
    assert admin.get("targets/", enabled="true").json()["results"] == []
    assert len(admin.get("targets/", kind="kubernetes").json()["results"]) == 1
    entry = Entry.objects.get(action="target.update")
    assert entry.after == {"enabled": False, "drift_policy": "hold"}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"kind": "nomad"}, "kind", "'nomad' has no adapter; use one of argo"),
        ({"credential": "hunter2"}, "credential", "not a reference"),
        ({"options": {"password": "x"}}, "options", "named like a secret"),
        ({"options": {"ca_file": 1}}, "options", "path of a file"),
        ({**TEMPORAL, "options": {"queues": ["a"]}}, "options", "use a mapping"),
        (queues(base_rate="ten"), "options", "'ten' is not accepted"),
        (queues(base_rate=0), "options", "a base rate of 0 for unlimited"),
        (queues(queue_rate=8_388_609), "options", "cannot be stored exactly"),
        (queues(rate=1), "options", "and nothing else"),
        ({"concurrency": "many"}, "concurrency", "'many' is not accepted"),
        ({"enabled": 1}, "enabled", "use true or false"),
        ({"drift_policy": "ignore"}, "drift_policy", "'ignore'"),
        ({"slug": "EU"}, "slug", "'EU'"),
        ({"region": "eu"}, "region", "is not a field here"),
    ],
)
def test_a_fault_in_a_target_is_named(
    admin: Rest, change: dict[str, Any], field: str, words: str
) -> None:
    response = admin.post("targets/", {**NEW, **change})
    assert response.status_code == 422, response.content
    assert response.json()["field"] == field
    assert words in response.json()["detail"]
    assert "hunter2" not in response.content.decode()
    assert Target.objects.count() == 0


def test_a_target_is_tested_by_an_operator(plane: FakePlane, admin: Rest, operator: Rest) -> None:
    admin.post("targets/", NEW)
    answer = operator.post("targets/eu-1/test/").json()
    assert answer["ok"] is True
    target = Target.objects.get()
    plane.down[target.pk] = Unreachable("connection refused")
    answer = operator.post("targets/eu-1/test/").json()
    assert (answer["ok"], answer["condition"]) == (False, "unreachable")
    assert "connection refused" in answer["summary"]


@pytest.mark.parametrize("action", ["test", "sync"])
def test_what_takes_no_fields_refuses_those_that_are_sent(
    plane: FakePlane, admin: Rest, sent: list[Any], action: str
) -> None:
    admin.post("targets/", NEW)
    refused = admin.post(f"targets/eu-1/{action}/", {"deep": True})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_field")


def test_an_operator_asks_for_a_look_at_everything(
    plane: FakePlane, admin: Rest, operator: Rest, sent: list[Any], monkeypatch: Any
) -> None:
    admin.post("targets/", NEW)
    tasks: list[Any] = []
    monkeypatch.setattr(
        "quotas.enforcement.reconcile.operations.enqueue",
        lambda *args, **_: tasks.append(args) or True,  # type: ignore[func-returns-value]  # only to record
    )
    response = operator.post("targets/eu-1/sync/")
    assert (response.status_code, response.json()) == (202, {"queued": True})
    assert len(tasks) == 1


MOVES: list[dict[str, Any]] = [
    {"endpoint": "https://elsewhere:6443"},
    {"endpoint": ""},
    {"options": {"ca_file": "/etc/headroom/ca.pem"}},
    {"options": {"insecure_skip_tls_verify": True}},
    {"options": {}},
]
CLUSTER = {
    **NEW,
    "endpoint": "https://eu:6443",
    "credential": "env:HEADROOM_CRED_EU",
    "options": {"ca_file": "/etc/headroom/eu.pem"},
}


@pytest.mark.parametrize("move", MOVES)
def test_another_address_needs_the_credential_said_again(admin: Rest, move: dict[str, Any]) -> None:
    admin.post("targets/", CLUSTER)
    tag = admin.get("targets/eu-1/")["ETag"]
    refused = admin.patch("targets/eu-1/", {**move, **WHY}, If_Match=tag)
    assert refused.status_code == 422
    assert (refused.json()["code"], refused.json()["field"]) == ("credential_needed", "credential")
    target = Target.objects.get()
    assert (target.endpoint, target.options) == (CLUSTER["endpoint"], CLUSTER["options"])
    for credential in ("env:HEADROOM_CRED_EU", ""):
        again = {**move, **WHY, "credential": credential}
        answer = admin.patch("targets/eu-1/", again, If_Match=admin.get("targets/eu-1/")["ETag"])
        assert answer.status_code == 200, answer.content


def test_another_address_needs_a_client_certificate_said_again(admin: Rest) -> None:
    options = {
        "tls": True,
        "client_cert": "env:HEADROOM_CRED_C",
        "client_key": "env:HEADROOM_CRED_K",
    }
    made = {**NEW, **TEMPORAL, "credential": "", "options": options,
            "endpoint": "temporal.example:7233"}  # fmt: skip
    assert admin.post("targets/", made).status_code == 201
    address = f"targets/{made['slug']}/"
    move = {"endpoint": "temporal.elsewhere.example:7233", **WHY}
    refused = admin.patch(address, move, If_Match=admin.get(address)["ETag"])
    assert refused.status_code == 422
    assert (refused.json()["code"], refused.json()["field"]) == ("credential_needed", "options")
    assert Target.objects.get().endpoint == made["endpoint"]
    again = admin.patch(address, {**move, "options": options}, If_Match=admin.get(address)["ETag"])
    assert again.status_code == 200, again.content


def test_what_does_not_change_the_address_needs_no_credential(admin: Rest) -> None:
    admin.post("targets/", CLUSTER)
    same = {"endpoint": CLUSTER["endpoint"], "options": CLUSTER["options"], "concurrency": 3}
    tag = admin.get("targets/eu-1/")["ETag"]
    assert admin.patch("targets/eu-1/", {**same, **WHY}, If_Match=tag).status_code == 200
    links = {"options": {**CLUSTER["options"], "ui_url": "https://ui.example"}}  # type: ignore[dict-item]  # a mapping
    tag = admin.get("targets/eu-1/")["ETag"]
    assert admin.patch("targets/eu-1/", {**links, **WHY}, If_Match=tag).status_code == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"credential": "env:SECRET_KEY"}, "CREDENTIAL_ENV_PREFIX"),
        ({"credential": "env:DATABASE_URL"}, "CREDENTIAL_ENV_PREFIX"),
        ({"credential": "file:/etc/hostname"}, "CREDENTIAL_DIRS"),
        ({"credential": "file:/etc/headroom/../hostname"}, "CREDENTIAL_DIRS"),
        ({"credential": "kubeconfig:/root/.kube/config"}, "CREDENTIAL_DIRS"),
        ({"credential": "kubeconfig:~/.kube/config"}, "CREDENTIAL_DIRS"),
        ({"credential": "kubeconfig:env:HOME"}, "CREDENTIAL_ENV_PREFIX"),
        ({"options": {"ca_file": "/etc/hostname"}}, "CREDENTIAL_DIRS"),
        ({**TEMPORAL, "credential": "in-cluster"}, "for clusters only"),
        ({**TEMPORAL, "credential": "kubeconfig:/etc/headroom/x"}, "for clusters only"),
        ({**TEMPORAL, "options": {"server_ca": "file:/etc/hostname"}}, "CREDENTIAL_DIRS"),
        ({**TEMPORAL, "options": {"client_key": "env:SECRET_KEY"}}, "CREDENTIAL_ENV_PREFIX"),
        ({"kind": "argo", "options": {"argo_server": "https://argo:2746",
                                      "argo_server_token": "env:SECRET_KEY"}},
         "CREDENTIAL_ENV_PREFIX"),
        ({"kind": "argo", "options": {"argo_server": "http://argo:2746",
                                      "argo_server_token": "env:HEADROOM_CRED_ARGO"}},
         "plain http"),
    ],
)  # fmt: skip
def test_only_what_the_server_lets_be_named_is_a_credential(
    admin: Rest, change: dict[str, Any], words: str
) -> None:
    refused = admin.post("targets/", {**NEW, **change})
    assert refused.status_code == 422, refused.content
    assert words in refused.json()["detail"]
    assert not Target.objects.exists()


def test_a_target_with_a_credential_of_older_days_can_still_be_edited(admin: Rest) -> None:
    options = {"ca_file": "/etc/ssl/eu.pem"}
    Target.objects.create(
        slug="old", name="Old", kind="kubernetes", credential="env:OLD_TOKEN", options=options
    )
    tag = admin.get("targets/old/")["ETag"]
    body = {"enabled": False, "options": {**options, "ui_url": "https://ui.example"}, **WHY}
    assert admin.patch("targets/old/", body, If_Match=tag).status_code == 200
