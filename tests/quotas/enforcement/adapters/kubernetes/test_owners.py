"""Who holds a field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from quotas.enforcement.adapters.kubernetes.owners import owners
from quotas.enforcement.adapters.kubernetes.parse import observed_object
from quotas.enforcement.ports import Owner

CPU = "spec.hard[requests.cpu]"
FIELDS: dict[str, Any] = {"f:spec": {"f:hard": {"f:requests.cpu": {}}}}


def entry(manager: str, operation: str, fields: Any, **more: str) -> dict[str, Any]:
    """One entry of managedFields."""
    return {
        "manager": manager,
        "operation": operation,
        "time": "2026-11-22T10:00:00Z",
        "fieldsV1": fields,
        **more,
    }


OURS = entry("headroom-kubernetes", "Apply", FIELDS)


def test_what_only_we_and_the_status_writer_touched_has_no_other_owner() -> None:
    status = entry("kube-controller-manager", "Update", FIELDS, subresource="status")
    assert owners([OURS, status], "ResourceQuota", {CPU: 1}) == {}


def test_a_field_that_we_share_is_ours() -> None:
    assert owners([OURS, entry("argocd", "Apply", FIELDS)], "ResourceQuota", {CPU: 1}) == {}


def test_the_last_writer_owns_what_we_lost() -> None:
    early = entry("old", "Update", FIELDS, time="2026-11-21T10:00:00Z")
    late = entry("argocd", "Apply", FIELDS)
    mine = entry("headroom-kubernetes", "Apply", {"f:metadata": {}})
    owner_of = owners([mine, early, late], "ResourceQuota", {CPU: 1, "spec.hard[pods]": 1})
    assert owner_of == {CPU: Owner("argocd", True, datetime(2026, 11, 22, 10, tzinfo=UTC))}


def test_our_own_name_used_by_an_edit_is_not_our_apply() -> None:
    edit = entry("headroom-kubernetes", "Update", FIELDS)
    assert CPU in owners([edit], "ResourceQuota", {CPU: 1})


def test_all_of_a_limit_range_is_one_field_to_the_server() -> None:
    edit = entry("kubectl-edit", "Update", {"f:spec": {"f:limits": {}}})
    path = "spec.limits[Container].default[cpu]"
    assert owners([edit], "LimitRange", {path: 1})[path].manager == "kubectl-edit"


def quota(labels: dict[str, str], *entries: dict[str, Any]) -> dict[str, Any]:
    """A quota with these labels and managers."""
    metadata = {"name": "headroom", "namespace": "a", "uid": "u", "labels": labels}
    return {"metadata": {**metadata, "managedFields": list(entries)}, "spec": {"hard": {}}}


def test_an_object_without_our_label_is_not_ours_and_names_who_wrote_it() -> None:
    label = "metadata.labels[app.kubernetes.io/managed-by]"
    observed = observed_object("ResourceQuota", quota({}, entry("bob", "Update", {})))
    assert observed.ours is False
    assert observed.owners[label].manager == "bob"


def test_a_torn_off_label_is_repaired_but_never_grounds_for_deletion() -> None:
    torn = quota({}, OURS)
    assert observed_object("ResourceQuota", torn).ours is True
    assert observed_object("ResourceQuota", torn).owners == {}
    assert observed_object("ResourceQuota", torn, leaving=True).ours is False
