"""Edits over REST that the planes have to hear of."""

from __future__ import annotations

from types import SimpleNamespace

from console.audit.models import Entry
from quotas.enforcement.models import Rollout
from tests.rest import Rest

WHY = {"reason": "merger"}


def test_a_new_group_is_pushed_at_once(served: SimpleNamespace, admin: Rest) -> None:
    tag = admin.get("tenants/acme/")["ETag"]
    body = {"group": "acme-devs", **WHY}
    changed = admin.patch("tenants/acme/", body, If_Match=tag)
    assert changed.status_code == 200, changed.content
    assert changed["ETag"] != tag
    rollout = Rollout.objects.get()
    assert (rollout.title, rollout.total, rollout.reason) == (
        "Group of acme: acme-devs", 2, "merger",
    )  # fmt: skip


def test_an_operator_says_what_to_do_about_drift(served: SimpleNamespace, operator: Rest) -> None:
    path = f"placements/{served.placements['acme'].pk}/"
    tag = operator.get(path)["ETag"]
    body = {"drift_policy": "hold", **WHY}
    assert operator.patch(path, body).status_code == 428
    changed = operator.patch(path, body, If_Match=tag)
    assert changed.status_code == 200, changed.content
    assert changed.json()["drift_policy"] == "hold"
    assert operator.patch(path, body, If_Match=tag).status_code == 412
    entry = Entry.objects.latest("pk")
    assert (entry.action, entry.tenant, entry.reason) == (
        "placement.drift_policy", "acme", "merger",
    )  # fmt: skip
    wrong = operator.patch(path, {"drift_policy": "x", **WHY}, If_Match=changed["ETag"])
    assert (wrong.status_code, wrong.json()["field"]) == (422, "drift_policy")
    back = operator.patch(path, {"drift_policy": "", **WHY}, If_Match=changed["ETag"])
    assert back.json()["drift_policy"] == "heal"  # as the target says


def test_a_viewer_says_nothing_about_drift(served: SimpleNamespace, viewer: Rest) -> None:
    path = f"placements/{served.placements['acme'].pk}/"
    tag = viewer.get(path)["ETag"]
    refused = viewer.patch(path, {"drift_policy": "hold", **WHY}, If_Match=tag)
    assert refused.status_code == 403


def test_words_of_the_console_are_no_slugs(served: SimpleNamespace, admin: Rest) -> None:
    target = {"slug": "dots", "name": "Dots", "kind": "kubernetes", **WHY}
    tenant = {"slug": "new", "name": "New", "plan": "standard", **WHY}
    plan = {"slug": "new", "name": "New", "limits": {"pods": "1"}, **WHY}
    for path, body in (("targets/", target), ("tenants/", tenant), ("plans/", plan)):
        refused = admin.post(path, body)
        assert (refused.status_code, refused.json()["field"]) == (422, "slug"), refused.content
        assert "a word of the console" in refused.json()["detail"]
