"""What the emulated Argo server makes of a workflow that has ended, or waits."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from deploy.emulators.argo import listing, names, operations
from deploy.emulators.argo.archive import Archive
from deploy.emulators.argo.tests.memory_cluster import Lab, pod_template

OK = pod_template("ok")
BAD = pod_template("bad", metadata={"annotations": {"headroom.dev/ends": "error"}})
WAIT = {"name": "wait", "suspend": {}}


def step(template: str, name: str = "") -> dict[str, str]:
    return {"name": name or template, "template": template}


def retry(lab: Lab, name: str) -> dict[str, Any]:
    """What the server does, in a cluster in memory."""
    made, pods = operations.retried(lab.cluster.workflows[name], lab.now)
    for pod in pods:
        lab.cluster.delete("Pod", "acme", pod)
    lab.cluster.workflows[name] = made
    return made


def failed(lab: Lab, *templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A workflow that has failed."""
    lab.submit("wf", *templates, **spec)
    assert lab.finish("wf")["phase"] == "Failed"
    return lab.cluster.workflows["wf"]


def test_a_retry_is_the_same_object_without_what_failed() -> None:
    lab = Lab()
    main = {"name": "main", "steps": [[step("ok")], [step("bad")], [step("ok", "last")]]}
    before = copy.deepcopy(failed(lab, main, OK, BAD, onExit="ok"))
    before["metadata"]["labels"][operations.ARCHIVING] = "Archived"
    lab.cluster.workflows["wf"] = copy.deepcopy(before)
    lab.now = lab.now.replace(hour=14)
    made = retry(lab, "wf")
    labels, status = made["metadata"]["labels"], made["status"]
    assert made["metadata"]["uid"] == before["metadata"]["uid"]
    assert names.COMPLETED not in labels
    assert operations.ARCHIVING not in labels
    assert labels[names.PHASE] == "Failed"  # Argo leaves it as it was
    assert labels[f"{names.PREFIX}action"] == "Retry"
    assert (status["phase"], status.get("message")) == ("", None)
    assert status["startedAt"] == names.stamp(lab.now) > before["status"]["startedAt"]
    assert "finishedAt" not in status
    assert {"type": "Completed", "status": "False"} in status["conditions"]
    assert {node["name"]: node["phase"] for node in status["nodes"].values()} == {
        "wf": "Running",
        "wf[0]": "Succeeded",
        "wf[0].ok": "Succeeded",
        "wf[1]": "Running",
    }
    assert sorted(lab.cluster.pods_there) == [names.pod_name("wf", "wf[0].ok", "ok")]
    kept = status["nodes"].values()
    assert not {child for node in kept for child in node.get("children", ())} - set(status["nodes"])


def test_a_retried_workflow_runs_to_its_end() -> None:
    lab = Lab()
    main = {"name": "main", "steps": [[step("ok")], [step("bad")], [step("ok", "last")]]}
    failed(lab, main, OK, BAD)
    retry(lab, "wf")
    template = next(
        template
        for template in lab.cluster.workflows["wf"]["spec"]["templates"]
        if template["name"] == "bad"
    )
    template["metadata"]["annotations"]["headroom.dev/ends"] = "completed"
    status = lab.finish("wf")
    assert (status["phase"], status["progress"]) == ("Succeeded", "3/3")


def test_a_workflow_of_one_pod_is_done_again_from_nothing() -> None:
    lab = Lab()
    failed(lab, BAD)
    assert retry(lab, "wf")["status"]["nodes"] == {}
    assert lab.finish("wf")["phase"] == "Failed"


def test_of_a_dag_only_what_hung_on_the_failure_is_forgotten() -> None:
    lab = Lab()
    tasks = [
        step("ok", "a"),
        step("bad", "b"),
        {**step("ok", "c"), "depends": "b.Succeeded && a"},
    ]
    failed(lab, {"name": "main", "dag": {"tasks": tasks}}, OK, BAD)
    nodes = retry(lab, "wf")["status"]["nodes"].values()
    assert {node["name"] for node in nodes} == {"wf", "wf.a"}


def test_attempts_of_a_retry_node_begin_anew_and_those_before_a_success_stay() -> None:
    lab = Lab()
    flaky = pod_template(
        "flaky", metadata={"annotations": {names.FAILS_FIRST: "1"}}, retryStrategy={"limit": 2}
    )
    hopeless = {**BAD, "name": "hopeless", "retryStrategy": {"limit": 1}}
    main = {"name": "main", "steps": [[step("flaky")], [step("hopeless")]]}
    failed(lab, main, flaky, hopeless)
    nodes = {node["name"] for node in retry(lab, "wf")["status"]["nodes"].values()}
    assert {"wf[0].flaky(0)", "wf[0].flaky(1)", "wf[1].hopeless"} <= nodes
    assert "wf[1].hopeless(0)" not in nodes
    status = lab.finish("wf")
    assert "wf[1].hopeless(1)" in {node["name"] for node in status["nodes"].values()}


def test_a_retried_workflow_waits_in_the_queue_with_its_steps() -> None:
    lab = Lab()
    failed(lab, {"name": "main", "steps": [[step("ok")], [step("bad")]]}, OK, BAD)
    lab.cluster.labels["acme"] = "1"
    lab.submit("other", OK)
    lab.round()
    retry(lab, "wf")
    lab.round()
    status = lab.status("wf")
    assert (status["phase"], status["message"]) == ("Pending", names.POSTPONED)
    assert len(status["nodes"]) == 4


def test_only_what_failed_is_retried() -> None:
    lab = Lab()
    lab.submit("wf", OK)
    for _ in range(2):
        with pytest.raises(operations.NotPossibleError, match="must be Failed/Error to retry"):
            operations.retried(lab.cluster.workflows["wf"], lab.now)
        lab.finish("wf")


def test_a_resubmission_is_a_new_object_that_says_where_it_is_from() -> None:
    lab = Lab()
    old = failed(lab, BAD, shutdown=None)
    old["metadata"] |= {"generateName": "nightly-"}
    old["metadata"]["labels"] |= {"team": "blue", f"{names.PREFIX}creator": "ann"}
    made = operations.resubmitted(old, lab.now)
    assert made["metadata"]["name"].startswith("nightly-")
    labels = made["metadata"]["labels"]
    assert (labels["team"], labels[operations.FROM]) == ("blue", "wf")
    gone = (names.PHASE, names.COMPLETED, f"{names.PREFIX}creator")
    assert not [name for name in gone if name in labels]
    assert "status" not in made
    assert "shutdown" not in made["spec"]


def test_a_memoized_resubmission_runs_only_what_failed() -> None:
    lab = Lab()
    old = failed(lab, {"name": "main", "steps": [[step("ok")], [step("bad")]]}, OK, BAD)
    made = operations.resubmitted(old, lab.now, memoized=True)
    name = made["metadata"]["name"]
    made["metadata"] |= {"uid": "new", "creationTimestamp": names.stamp(lab.now)}
    lab.cluster.workflows[name] = made
    lab.round()
    nodes = lab.nodes(name)
    original = names.node_id("wf", "wf[0].ok")
    assert nodes[f"{name}[0].ok"] == ("Skipped", "Skipped", f"original pod: {original}")
    assert nodes[f"{name}[1].bad"][:2] == ("Pod", "Pending")
    assert lab.finish(name)["phase"] == "Failed"


def test_a_step_that_waits_is_resumed_by_its_selector_or_with_all() -> None:
    lab = Lab()
    main = {"name": "main", "steps": [[step("wait", "approve")], [step("ok")]]}
    lab.submit("wf", main, WAIT, OK)
    lab.round()
    there = lab.cluster.workflows["wf"]
    with pytest.raises(operations.NotPossibleError, match="no suspend nodes matching"):
        operations.resumed(there, lab.now, "displayName=other")
    with pytest.raises(operations.NotPossibleError, match="unable to parse"):
        operations.resumed(there, lab.now, "approve")
    for selector in ("displayName=approve", ""):
        nodes = operations.resumed(there, lab.now, selector)["status"]["nodes"].values()
        node = next(node for node in nodes if node["displayName"] == "approve")
        assert (node["phase"], node["message"]) == ("Succeeded", f"Resumed by: {operations.ACTOR}")
    lab.cluster.workflows["wf"] = operations.resumed(there, lab.now)
    assert lab.finish("wf")["phase"] == "Succeeded"


def test_suspending_and_shutting_down_is_in_the_spec_and_not_after_the_end() -> None:
    lab = Lab()
    lab.submit("wf", OK)
    there = lab.cluster.workflows["wf"]
    assert operations.suspended(there)["spec"]["suspend"] is True
    assert "suspend" not in operations.resumed(operations.suspended(there), lab.now)["spec"]
    assert operations.shut_down(there, "Stop")["spec"]["shutdown"] == "Stop"
    lab.finish("wf")
    over = lab.cluster.workflows["wf"]
    for act in (operations.suspended, lambda wf: operations.shut_down(wf, "Stop")):
        with pytest.raises(operations.NotPossibleError, match="completed workflow"):
            act(over)


def test_the_archive_keeps_the_newest_and_one_row_for_each_uid() -> None:
    archive = Archive(most=2)
    for number in (1, 2, 3, 3):
        moment = f"2026-11-22T12:00:0{number}Z"
        status = {"startedAt": moment, "finishedAt": moment, "nodes": {"x": {}}}
        own = {"uid": f"u{number}", "name": f"wf{number}", "namespace": "acme"}
        archive.put([{"metadata": own, "status": status}])
    assert [workflow["metadata"]["uid"] for workflow in archive.all()] == ["u3", "u2"]
    assert archive.get("u1") is None
    first = listing.page(archive.all(), {"listOptions.limit": "1"})
    assert first["metadata"] == {"continue": "1"}
    assert "nodes" not in first["items"][0]["status"]
    more = {"listOptions.limit": "1", "listOptions.continue": "1"}
    second = listing.page(archive.all(), more)
    assert (len(second["items"]), second["metadata"]) == (1, {})
    since = {
        "listOptions.fieldSelector": "metadata.namespace=acme,spec.startedAt>2026-11-22T12:00:02Z"
    }
    assert [
        workflow["metadata"]["uid"] for workflow in listing.page(archive.all(), since)["items"]
    ] == ["u3"]
    with pytest.raises(listing.CannotSelectError, match="unsupported"):
        listing.page(archive.all(), {"listOptions.fieldSelector": "status.phase=Failed"})
