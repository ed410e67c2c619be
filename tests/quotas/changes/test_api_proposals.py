"""The careful way: propose, read the preview, apply exactly that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from console import celery
from quotas.changes.models import Proposal, ProposalStatus
from quotas.changes.services import proposals
from quotas.enforcement.models import Rollout
from quotas.plans.models import PlanVersion
from tests.quotas.changes.memory_adapter import MemoryAdapter
from tests.rest import Rest

WHY = {"reason": "too generous"}
LESS = {
    "kind": "PublishPlan",
    "payload": {"plan": "standard", "base_version": 1, "limits": {"requests.cpu": "30"}},
}
SUSPEND = {"kind": "Suspend", "payload": {"tenants": ["acme"]}}


def test_a_proposal_shows_what_would_happen_and_writes_nothing(
    served: SimpleNamespace, plane: MemoryAdapter, admin: Rest
) -> None:
    plane.memory.used["lab", "acme"] = {"requests.cpu": 35_000}
    response = admin.post("proposals/", LESS)
    assert response.status_code == 201, response.content
    body = response.json()
    assert response["Location"] == body["url"]
    preview = body["preview"]
    assert body["fingerprint"] == preview["fingerprint"] != ""
    assert "base" not in preview
    assert (preview["tenants"], preview["objects_total"], len(preview["objects"])) == (3, 4, 4)
    (over_limit,) = preview["over_limit"]
    assert (over_limit["tenant"], over_limit["used_text"], over_limit["limit"]) == (
        "acme",
        "35 cores",
        30_000,
    )
    assert preview["hurt"] == preview["over_limit"]  # the former name, for scripts
    assert "1 already uses more" in preview["summary"]
    assert PlanVersion.objects.count() == 1
    assert Rollout.objects.count() == 0


def test_every_object_of_a_preview_is_read_page_by_page(
    served: SimpleNamespace, viewer: Rest, admin: Rest
) -> None:
    body = admin.post("proposals/", LESS).json()
    path = f"proposals/{body['id']}/objects/"
    first = viewer.get(path, page_size=3).json()
    assert first["previous"] is None
    second = viewer.client.get(first["next"]).json()
    assert second["next"] is None
    assert first["results"] + second["results"] == body["preview"]["objects"]
    assert viewer.client.get(second["previous"]).json() == first
    acme = viewer.get(path, tenant="acme", target="lab").json()["results"]
    assert {(item["tenant"], item["target"]) for item in acme} == {("acme", "lab")}
    assert viewer.get(path, tennant="acme").status_code == 400
    assert viewer.get(path, cursor="nonsense").status_code == 400


def test_two_pages_of_objects_never_come_from_two_previews(
    served: SimpleNamespace, plane: MemoryAdapter, admin: Rest
) -> None:
    body = admin.post("proposals/", LESS).json()
    path = f"proposals/{body['id']}/"
    first = admin.get(f"{path}objects/", page_size=3).json()
    plane.memory.objects["lab", "globex"] = {"hard[requests.cpu]": 1}
    again = admin.post(f"{path}refresh/", {})
    assert again.status_code == 200
    assert again.json()["fingerprint"] != body["fingerprint"]
    assert admin.get(path).json()["fingerprint"] == again.json()["fingerprint"]
    answer = admin.client.get(first["next"])
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_preview")


def test_refreshing_takes_no_fields(served: SimpleNamespace, admin: Rest) -> None:
    body = admin.post("proposals/", LESS).json()
    refused = admin.post(f"proposals/{body['id']}/refresh/", {"deep": True})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_field")


def test_it_is_applied_with_its_fingerprint(served: SimpleNamespace, admin: Rest) -> None:
    body = admin.post("proposals/", LESS).json()
    response = admin.post(
        f"proposals/{body['id']}/apply/", {"fingerprint": body["fingerprint"], **WHY}
    )
    assert response.status_code == 202, response.content
    again = admin.get(f"proposals/{body['id']}/").json()
    assert (again["status"], again["rollout"]) == ("applied", response.json()["id"])
    assert again["reason"] == WHY["reason"]


def test_a_stale_preview_is_refused_with_what_has_changed_since(
    served: SimpleNamespace, plane: MemoryAdapter, admin: Rest
) -> None:
    body = admin.post("proposals/", LESS).json()
    plane.memory.objects["lab", "globex"] = {"hard[requests.cpu]": 1}
    path = f"proposals/{body['id']}/apply/"
    response = admin.post(path, {"fingerprint": body["fingerprint"], **WHY})
    assert response.status_code == 409
    problem = response.json()
    assert problem["code"] == "stale_preview"
    assert any("globex" in str(difference) for difference in problem["context"]["since"])
    assert Rollout.objects.count() == 0
    fresh = {"fingerprint": problem["context"]["fingerprint"], **WHY}
    assert admin.post(path, fresh).status_code == 202


def test_applying_twice_is_refused(served: SimpleNamespace, admin: Rest) -> None:
    body = admin.post("proposals/", LESS).json()
    path = f"proposals/{body['id']}/apply/"
    admin.post(path, {"fingerprint": body["fingerprint"], **WHY})
    again = admin.post(path, {"fingerprint": body["fingerprint"], **WHY})
    assert (again.status_code, again.json()["code"]) == (409, "not_a_draft")


def test_a_draft_is_discarded_with_its_etag(served: SimpleNamespace, admin: Rest) -> None:
    path = f"proposals/{admin.post('proposals/', LESS).json()['id']}/"
    tag = admin.get(path)["ETag"]
    assert admin.delete(path).status_code == 428
    assert admin.delete(path, If_Match='"other"').status_code == 412
    assert admin.delete(path, If_Match=tag).status_code == 204
    assert Proposal.objects.get().status == ProposalStatus.DISCARDED


def test_a_large_preview_is_computed_by_a_worker_and_polled(
    served: SimpleNamespace, admin: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "LARGE", 2)
    monkeypatch.setattr(celery, "enqueue", lambda *_: True)
    response = admin.post("proposals/", LESS)
    assert response.status_code == 202
    body = response.json()
    assert (body["preview"], body["progress"]) == (None, "Waiting for a worker")
    draft = Proposal.objects.get(pk=body["id"])
    proposals.update_preview(proposal=draft, now=draft.created_at)
    assert admin.get(f"proposals/{draft.pk}/").json()["preview"]["tenants"] == 3
    dry = admin.post("preview/", LESS)
    assert (dry.status_code, dry.json()["code"]) == (422, "too_large")


def test_a_dry_run_says_the_same_and_keeps_nothing(served: SimpleNamespace, admin: Rest) -> None:
    dry = admin.post("preview/", LESS)
    assert dry.status_code == 200, dry.content
    assert Proposal.objects.count() == 0
    kept = admin.post("proposals/", LESS).json()
    assert dry.json()["fingerprint"] == kept["fingerprint"]


@pytest.mark.parametrize("path", ["proposals/", "preview/"])
def test_an_operator_proposes_only_what_operators_do(
    served: SimpleNamespace, operator: Rest, path: str
) -> None:
    refused = operator.post(path, LESS)
    assert refused.status_code == 403
    assert operator.post(path, SUSPEND).status_code in {200, 201}


def test_an_operator_neither_applies_nor_discards_what_admins_propose(
    served: SimpleNamespace, admin: Rest, operator: Rest
) -> None:
    body = admin.post("proposals/", LESS).json()
    sent = {"fingerprint": body["fingerprint"], **WHY}
    assert operator.post(f"proposals/{body['id']}/apply/", sent).status_code == 403
    tag = operator.get(f"proposals/{body['id']}/")["ETag"]
    assert operator.delete(f"proposals/{body['id']}/", If_Match=tag).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "Explode", "payload": {}}, "kind"),
        ({"kind": "Suspend", "payload": []}, "payload"),
        ({"kind": "Suspend", "payload": {}}, "tenants"),
        ({"kind": "Suspend", "payload": {"tenants": ["acme"]}, "reason": "x"}, "reason"),
    ],
)
def test_a_fault_in_a_proposal_is_named(
    served: SimpleNamespace, admin: Rest, body: Any, field: str
) -> None:
    response = admin.post("proposals/", body)
    assert response.status_code == 422, response.content
    assert response.json().get("field", "") == field
    assert Proposal.objects.count() == 0


def test_proposals_are_listed_and_filtered(
    served: SimpleNamespace, admin: Rest, django_assert_num_queries: Any
) -> None:
    for slug in ("acme", "globex", "initech"):
        admin.post("proposals/", {"kind": "Suspend", "payload": {"tenants": [slug]}})
    admin.get("proposals/")
    with django_assert_num_queries(2):  # the token, the page
        rows = admin.get("proposals/", status="draft", kind="Suspend").json()["results"]
    assert len(rows) == 3
    assert admin.get("proposals/", status="applied").json()["results"] == []
    assert admin.get("proposals/", status="lost").status_code == 400
