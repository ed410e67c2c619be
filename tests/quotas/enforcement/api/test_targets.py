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


def queues(**rates: Any) -> dict[str, Any]:
    """A Temporal target with one shared queue."""
    return {"kind": "temporal", "options": {"queues": {"fair": rates}}}


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
        ({"kind": "temporal", "options": {"queues": ["a"]}}, "options", "use a mapping"),
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
