"""The emulated workflow controller: what becomes of one workflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from deploy.emulators.argo import names
from deploy.emulators.argo.run import PodCreation
from deploy.emulators.argo.tests.memory_cluster import Lab, pod_template

OK = pod_template("ok")
BAD = pod_template("bad", metadata={"annotations": {"headroom.dev/ends": "error"}})
OOM = pod_template("oom", metadata={"annotations": {"headroom.dev/ends": "oom"}})


def steps(name: str, *groups: list[Any]) -> dict[str, Any]:
    return {"name": name, "steps": list(groups)}


def dag(name: str, *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "dag": {"tasks": list(tasks), **more}}


def test_ids_and_names_are_made_as_argo_makes_them() -> None:
    assert names.node_id("wf", "wf") == "wf"
    assert names.pod_name("wf", "wf", "main") == "wf"
    assert names.fnv1a("") == 2166136261
    assert names.fnv1a("a") == 0xE40C292C
    assert names.node_id("wf", "wf[0].a") == f"wf-{names.fnv1a('wf[0].a')}"
    assert names.pod_name("wf", "wf[0].a", "t") == f"wf-t-{names.fnv1a('wf[0].a')}"


def test_a_workflow_of_one_pod_runs_to_its_end() -> None:
    lab = Lab()
    lab.submit("one", OK)
    lab.round()
    workflow = lab.cluster.workflows["one"]
    assert workflow["metadata"]["labels"][names.PHASE] == "Running"
    assert workflow["metadata"]["labels"][names.COMPLETED] == "false"
    assert workflow["metadata"]["annotations"][names.POD_NAMES] == "v2"
    assert lab.nodes("one") == {"one": ("Pod", "Pending", "")}
    status = lab.finish("one")
    assert (status["phase"], status["progress"], status.get("message")) == (
        "Succeeded",
        "1/1",
        None,
    )
    assert {"type": "Completed", "status": "True"} in status["conditions"]
    labels = lab.cluster.workflows["one"]["metadata"]["labels"]
    assert (labels[names.PHASE], labels[names.COMPLETED]) == ("Succeeded", "true")
    assert labels["headroom.dev/emulated"] == "true"
    reasons = [event["reason"] for event in lab.cluster.events]
    assert reasons == ["WorkflowRunning", "WorkflowSucceeded"]


def test_steps_go_group_by_group_and_know_their_parameters() -> None:
    lab = Lab()
    work = pod_template(
        "work",
        inputs={"parameters": [{"name": "to"}]},
        metadata={"annotations": {"to": "{{inputs.parameters.to}}"}},
    )
    first = {
        "name": "a",
        "template": "work",
        "arguments": {"parameters": [{"name": "to", "value": "x"}]},
    }
    loop = {
        "name": "b",
        "template": "work",
        "withItems": ["u", "v"],
        "arguments": {"parameters": [{"name": "to", "value": "{{item}}"}]},
    }
    skipped = {"name": "c", "template": "work", "when": "{{steps.a.status}} == Failed"}
    lab.submit("s", steps("main", [first], [loop, skipped]), work)
    lab.round()
    assert set(lab.nodes("s")) == {"s", "s[0]", "s[0].a"}
    lab.finish("s")
    nodes = lab.nodes("s")
    assert nodes["s"] == ("Steps", "Succeeded", "")
    assert nodes["s[1].c"] == ("Skipped", "Skipped", "when 'Succeeded == Failed' evaluated false")
    arguments = {pod["metadata"]["annotations"]["to"] for pod in lab.cluster.pods_there.values()}
    assert arguments == {"x", "u", "v"}
    graph = lab.status("s")["nodes"]
    assert graph["s"]["children"] == [names.node_id("s", "s[0]")]
    second = names.node_id("s", "s[1]")
    assert graph[names.node_id("s", "s[0].a")]["children"] == [second]


@pytest.mark.parametrize(
    ("template", "message"),
    [(BAD, "main: Error (exit code 1)"), (OOM, "main: OOMKilled (exit code 137)")],
)
def test_a_failed_step_fails_its_group_and_the_workflow(
    template: dict[str, Any], message: str
) -> None:
    lab = Lab()
    step = {"name": "a", "template": template["name"]}
    lab.submit("f", steps("main", [step], [{"name": "b", "template": "ok"}]), template, OK)
    status = lab.finish("f")
    child = names.node_id("f", "f[0].a")
    assert (status["phase"], status["message"]) == ("Failed", f"child '{child}' failed")
    assert lab.nodes("f")["f[0].a"] == ("Pod", "Failed", message)
    assert "f[1]" not in lab.nodes("f")
    assert status["nodes"][child]["outputs"]["exitCode"] in ("1", "137")


def test_a_dag_follows_what_its_tasks_depend_on() -> None:
    lab = Lab()
    lab.submit(
        "d",
        dag(
            "main",
            {"name": "a", "template": "bad"},
            {"name": "b", "template": "ok", "depends": "a.Succeeded"},
            {"name": "c", "template": "ok", "depends": "a.Failed || b"},
        ),
        OK,
        BAD,
    )
    status = lab.finish("d")
    nodes = lab.nodes("d")
    assert nodes["d.b"] == ("Skipped", "Omitted", "omitted: depends condition not met")
    assert nodes["d.c"][1] == "Succeeded"
    assert status["phase"] == "Succeeded"


def test_a_dag_fails_fast_and_lets_what_runs_end() -> None:
    lab = Lab()
    lab.submit(
        "d",
        dag(
            "main",
            {"name": "a", "template": "bad"},
            {"name": "b", "template": "ok"},
            {"name": "c", "template": "ok", "dependencies": ["b"]},
        ),
        OK,
        BAD,
    )
    assert lab.finish("d")["phase"] == "Failed"
    assert "d.c" not in lab.nodes("d")
    assert lab.nodes("d")["d.b"][1] == "Succeeded"


def test_retries_are_made_after_a_pause_and_counted() -> None:
    lab = Lab()
    flaky = pod_template(
        "flaky",
        metadata={"annotations": {names.FAILS_FIRST: "2"}},
        retryStrategy={"limit": "2", "backoff": {"duration": "4", "factor": 2}},
    )
    lab.submit("r", flaky)
    lab.round()
    lab.play()
    assert lab.nodes("r")["r"] == ("Retry", "Running", "Backoff for 0 minutes 3 seconds")
    status = lab.finish("r")
    assert status["phase"] == "Succeeded"
    assert [lab.nodes("r")[f"r({number})"][1] for number in range(3)] == [
        "Failed", "Failed", "Succeeded",
    ]  # fmt: skip
    began, ended = names.moment(status["startedAt"]), names.moment(status["finishedAt"])
    assert began is not None
    assert ended is not None
    assert ended - began >= timedelta(seconds=12)


def test_no_more_retries_are_left_after_the_limit() -> None:
    lab = Lab()
    lab.submit("r", {**BAD, "retryStrategy": {"limit": 1}})
    status = lab.finish("r")
    assert (status["phase"], status["message"]) == ("Failed", "No more retries left")
    assert lab.nodes("r")["r(1)"][1] == "Failed"


def test_an_exit_handler_runs_after_a_failure_and_after_a_stop() -> None:
    lab = Lab()
    lab.submit("x", BAD, OK, onExit="ok")
    assert lab.finish("x")["phase"] == "Failed"
    assert lab.nodes("x")["x.onExit"][1] == "Succeeded"
    lab.submit("y", OK, pod_template("bye"), onExit="bye")
    lab.round()
    lab.edit("y", shutdown="Stop")
    status = lab.finish("y")
    assert (status["phase"], status["message"]) == ("Failed", "Stopped with strategy 'Stop'")
    assert lab.nodes("y")["y"][2] == "workflow shutdown with strategy:  Stop"
    assert lab.nodes("y")["y.onExit"][1] == "Succeeded"


def test_a_terminated_workflow_has_no_exit_handler() -> None:
    lab = Lab()
    lab.submit("t", OK, onExit="ok")
    lab.round()
    lab.edit("t", shutdown="Terminate")
    lab.round(1)
    assert lab.status("t")["message"] == "Stopped with strategy 'Terminate'"
    assert "t.onExit" not in lab.nodes("t")
    assert lab.cluster.pods_there == {}


def test_a_deadline_ends_what_runs_and_nothing_new_starts() -> None:
    lab = Lab()
    main = steps("main", [{"name": "a", "template": "ok"}], [{"name": "b", "template": "ok"}])
    lab.submit("late", main, OK, activeDeadlineSeconds=60)
    lab.round()
    lab.round(61)
    status = lab.status("late")
    assert (status["phase"], lab.nodes("late")["late[0].a"][2]) == (
        "Failed",
        "Step exceeded its deadline",
    )
    assert lab.cluster.pods_there == {}


def test_a_suspended_workflow_starts_nothing_new_until_it_is_resumed() -> None:
    lab = Lab()
    main = steps("main", [{"name": "a", "template": "ok"}], [{"name": "b", "template": "ok"}])
    lab.submit("s", main, OK)
    lab.round()
    lab.edit("s", suspend=True)
    lab.play()
    lab.round(60)
    assert "s[1]" not in lab.nodes("s")
    assert lab.status("s")["phase"] == "Running"
    lab.edit("s", suspend=None)
    assert lab.finish("s")["phase"] == "Succeeded"


def test_a_suspend_step_waits_for_its_time() -> None:
    lab = Lab()
    lab.submit("w", {"name": "wait", "suspend": {"duration": "20s"}})
    lab.round()
    lab.round(10)
    assert lab.nodes("w")["w"] == ("Suspend", "Running", "")
    lab.round(11)
    assert lab.status("w")["phase"] == "Succeeded"


def test_a_quota_refusal_is_a_wait_and_any_other_is_an_error() -> None:
    lab = Lab(requeue=timedelta(seconds=10))
    text = 'pods "q" is forbidden: exceeded quota: headroom, requested: pods=1'
    lab.cluster.refusal = PodCreation(text, waits=True)
    lab.submit("q", OK)
    lab.round()
    assert (lab.status("q")["phase"], lab.nodes("q")["q"][1:]) == ("Running", ("Pending", text))
    lab.cluster.refusal = PodCreation()
    lab.round(5)
    assert lab.cluster.pods_there == {}
    lab.round(6)
    assert lab.nodes("q")["q"] == ("Pod", "Pending", "")
    lab.cluster.refusal = PodCreation("must specify limits.cpu")
    lab.submit("e", OK)
    lab.round()
    assert (lab.status("e")["phase"], lab.status("e")["message"]) == (
        "Error",
        "must specify limits.cpu",
    )


def test_a_pod_that_vanished_is_an_error() -> None:
    lab = Lab()
    lab.submit("v", OK)
    lab.round()
    lab.cluster.pods_there.clear()
    lab.round(5)
    assert lab.status("v")["phase"] == "Running"
    lab.round(6)
    assert lab.status("v")["message"] == "pod deleted"


def test_a_spec_that_cannot_run_says_why() -> None:
    lab = Lab()
    lab.submit("i", steps("main", [{"name": "a", "template": "nowhere"}]))
    lab.round()
    status = lab.status("i")
    assert (status["phase"], status["message"]) == (
        "Failed",
        "invalid spec: template name 'nowhere' undefined",
    )


def test_parallelism_of_a_run_leaves_no_trace_but_holds_its_pods_back() -> None:
    lab = Lab()
    group = [{"name": f"s{number}", "template": "ok"} for number in range(4)]
    lab.submit("p", steps("main", group), OK, parallelism=2)
    lab.round()
    assert len(lab.cluster.pods_there) == 2
    assert lab.finish("p")["progress"] == "4/4"
