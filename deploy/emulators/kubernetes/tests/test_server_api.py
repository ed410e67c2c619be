"""One suite over the emulator and a real control plane: what Headroom relies on is the same."""

import re

import pytest

from tests.kubernetes_api import (
    MERGE,
    Api,
    fields_of,
)
from tests.waiting import until

STORED = {
    "1000m": "1",
    "1.5": "1500m",
    "0.1": "100m",
    "1000": "1k",
    "1024Ki": "1Mi",
    "2048Mi": "2Gi",
    "0.5Gi": "512Mi",
    "1000000k": "1G",
    "1e20": "100e18",
    "00": "0",
    "100n": "1m",
    "0.1m": "1m",
    "1.0001": "1001m",
    "1e3": "1e3",
    "12E6": "12E6",
    "+5": "+5",
    "1.": "1.",
    "3000Mi": "3000Mi",
    "1.001G": "1.001G",
    "+1000Mi": "1000Mi",
    "16Ei": "9223372036854775807",
}
SUFFIX = "unable to parse quantity's suffix"
SHAPE = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


def test_quantities_are_stored_in_their_shortest_form(api: Api) -> None:
    for written, stored in STORED.items():
        body = {"metadata": {"name": "q"}, "spec": {"hard": {"requests.cpu": written}}}
        status, answer = api.post("resourcequotas", body, "?dryRun=All")
        assert (status, answer["spec"]["hard"]["requests.cpu"]) == (201, stored), written


@pytest.mark.parametrize(
    ("written", "words"),
    [("1K", SUFFIX), ("1Kb", SHAPE), ("abc", SHAPE), ("1e3Ki", SHAPE)],
    ids=["1K", "1Kb", "abc", "1e3Ki"],
)
def test_what_is_no_quantity_is_refused(api: Api, written: str, words: str) -> None:
    body = {"metadata": {"name": "q"}, "spec": {"hard": {"requests.cpu": written}}}
    status, answer = api.post("resourcequotas", body)
    assert status == 400
    prefix = 'ResourceQuota in version "v1" cannot be handled as a ResourceQuota: '
    assert answer["message"] == prefix + words


def test_wrong_names_and_amounts_are_listed_together(api: Api) -> None:
    hard = {"pods": "-1", "foo": "2", "count/jobs.batch": "1.5"}
    status, answer = api.post("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": hard}})
    assert status == 422
    assert sorted(cause["field"] for cause in answer["details"]["causes"]) == [
        "spec.hard[count/jobs.batch]",
        "spec.hard[foo]",
        "spec.hard[foo]",
        "spec.hard[pods]",
    ]


def test_a_conflict_names_the_owner_and_the_fields(api: Api) -> None:
    api.apply("q", "first", {"requests.cpu": "1", "pods": "5"}, labels={"tier": "a"})
    status, answer = api.apply(
        "q", "second", {"requests.cpu": "2", "pods": "5"}, labels={"tier": "b"}
    )
    assert (status, answer["reason"]) == (409, "Conflict")
    assert answer["message"] == (
        'Apply failed with 2 conflicts: conflicts with "first":\n'
        "- .metadata.labels.tier\n- .spec.hard.requests.cpu"
    )
    assert answer["details"]["causes"][1] == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "first"',
        "field": ".spec.hard.requests.cpu",
    }


def test_force_takes_the_field_over(api: Api) -> None:
    api.apply("q", "first", {"requests.cpu": "1", "pods": "5"})
    status, answer = api.apply("q", "second", {"requests.cpu": "2"}, "&force=true")
    assert (status, answer["spec"]["hard"]["requests.cpu"]) == (200, "2")
    assert fields_of(answer, "first", "Apply") == {"f:spec": {"f:hard": {"f:pods": {}}}}
    assert fields_of(answer, "second", "Apply") == {"f:spec": {"f:hard": {"f:requests.cpu": {}}}}


def test_what_is_no_longer_applied_goes_unless_another_owns_it(api: Api) -> None:
    api.apply("q", "first", {"requests.cpu": "1", "pods": "5"}, labels={"tier": "a"})
    api.apply("q", "second", {"pods": "5"})
    _, answer = api.apply("q", "first", {"limits.cpu": "1"})
    assert answer["spec"]["hard"] == {"limits.cpu": "1", "pods": "5"}
    assert "labels" not in answer["metadata"]


def test_an_update_owns_what_it_changes(api: Api) -> None:
    api.apply("q", "first", {"requests.cpu": "1", "pods": "5"})
    path = api.path("resourcequotas", "q", "?fieldManager=kubectl-edit")
    _, answer = api.call("PATCH", path, {"spec": {"hard": {"pods": "6"}}}, MERGE)
    assert fields_of(answer, "kubectl-edit", "Update") == {"f:spec": {"f:hard": {"f:pods": {}}}}
    status, answer = api.apply("q", "first", {"requests.cpu": "1", "pods": "5"})
    assert status == 409
    assert answer["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .spec.hard.pods'
    )


def test_applying_the_same_again_writes_nothing(api: Api) -> None:
    api.apply("q", "first", {"pods": "5"})
    until(lambda: api.get("resourcequotas", "q").get("status", {}).get("used"))
    before = api.get("resourcequotas", "q")
    status, after = api.apply("q", "first", {"pods": "5"})
    assert (status, after["metadata"]) == (200, before["metadata"])


def test_a_put_from_a_stale_version_is_refused(api: Api) -> None:
    api.apply("q", "first", {"pods": "5"})
    body = {"metadata": {"name": "q", "resourceVersion": "1"}, "spec": {"hard": {"pods": "6"}}}
    status, answer = api.call("PUT", api.path("resourcequotas", "q"), body)
    assert (status, answer["message"]) == (
        409,
        'Operation cannot be fulfilled on resourcequotas "q": the object has been modified; '
        "please apply your changes to the latest version and try again",
    )


def test_lists_come_in_pages_and_by_label(api: Api) -> None:
    for index in range(5):
        labels = {"n": str(index)}
        api.post("configmaps", {"metadata": {"name": f"c{index}", "labels": labels}})
    names, token = [], ""
    while True:
        page = api.get("configmaps", query=f"?limit=2&continue={token}")
        assert len(page["items"]) <= 2
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert [name for name in names if re.fullmatch(r"c\d", name)] == [f"c{n}" for n in range(5)]
    selected = api.get("configmaps", query="?labelSelector=n%20in%20(1,2),n!%3D2")
    assert [item["metadata"]["name"] for item in selected["items"]] == ["c1"]


def test_a_watch_tells_what_happened_since_a_version(api: Api) -> None:
    start = api.get("configmaps", query="?labelSelector=seen")["metadata"]["resourceVersion"]
    api.post("configmaps", {"metadata": {"name": "c", "labels": {"seen": "1"}}})
    api.call("PATCH", api.path("configmaps", "c"), {"data": {"k": "v"}}, MERGE)
    api.call("DELETE", api.path("configmaps", "c"))
    query = f"?watch=true&labelSelector=seen&resourceVersion={start}&timeoutSeconds=1"
    _, lines = api.call("GET", api.path("configmaps", query=query))
    assert [line["type"] for line in lines] == ["ADDED", "MODIFIED", "DELETED"]


def test_a_binding_lets_a_group_work_in_one_namespace(
    api: Api, server: tuple[str, str, dict[str, str]]
) -> None:
    subject = {"kind": "Group", "name": "team-acme", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": "edit", "apiGroup": "rbac.authorization.k8s.io"}
    body = {"metadata": {"name": "team"}, "subjects": [subject], "roleRef": role}
    assert api.post("rolebindings", body, kind="RoleBinding")[0] == 201
    url, _, tokens = server
    member = Api(url, tokens["member"], api.namespace)
    outsider = Api(url, tokens["outsider"], api.namespace)
    until(lambda: member.post("configmaps", {"metadata": {"name": "m"}})[0] == 201)
    status, answer = outsider.call("GET", outsider.path("resourcequotas", "q"))
    assert (status, answer["message"]) == (
        403,
        'resourcequotas "q" is forbidden: User "outsider" cannot get resource "resourcequotas" '
        f'in API group "" in the namespace "{api.namespace}"',
    )
    attributes = {"namespace": api.namespace, "verb": "create", "resource": "resourcequotas"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    _, review = member.call("POST", path, {"spec": {"resourceAttributes": attributes}})
    assert review["status"] == {"allowed": False}


def test_deleting_a_namespace_takes_its_content_along(api: Api) -> None:
    path = f"/api/v1/namespaces/{api.namespace}"
    status, answer = api.call("DELETE", path)
    assert (status, answer["status"]["phase"]) == (200, "Terminating")
    status, answer = api.post("configmaps", {"metadata": {"name": "late"}})
    assert (status, answer["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    until(lambda: api.call("GET", path)[0] == 404)
