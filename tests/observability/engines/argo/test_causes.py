"""The step that failed a Workflow is named, and none that the Workflow got over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from observability.engines.argo.runs import run_of
from observability.engines.argo.state import WorkflowSnapshot
from observability.engines.contracts import FailureKind, RunSnapshot, Status
from tests.observability.engines.argo.recorded import OOM, node, nodes, workflow

NOW = datetime(2026, 11, 22, 10, 6, tzinfo=UTC)
EARLY, LATE = "2026-11-22T10:02:00Z", "2026-11-22T10:04:00Z"
TABLE = "main: Error (exit code 2): no such table"
EXIT = "Error (exit code 7)"
LATE_STEP = "Step exceeded its deadline"
NODES = dict[str, Any]


def cause(message: str, tree: NODES, **more: Any) -> tuple[Status, FailureKind, str]:
    """Status, kind and words of a Workflow that failed."""
    run: RunSnapshot = run_of(WorkflowSnapshot(workflow("Failed", message, tree, **more)), NOW)
    return run.status, run.failure_kind, run.failure


def failed(key: str, message: str, at: str = LATE, **more: Any) -> NODES:
    """A pod that failed."""
    return {**node(key, "Pod", "Failed", message=message), "finishedAt": at, **more}


def bad(**more: Any) -> NODES:
    """The step that failed the Workflow."""
    return failed("bad", TABLE, EARLY, **more)


def ended(steps: list[NODES], **more: Any) -> tuple[Status, FailureKind, str]:
    """How a DAG of these steps ended that says nothing itself."""
    return cause("", nodes(node("wf", "DAG", "Failed"), *steps), **more)


BY_BAD = (Status.FAILED, FailureKind.APPLICATION, f"bad: {TABLE}")


@pytest.mark.parametrize("message", [LATE_STEP, OOM, "pod deleted"])
def test_an_attempt_after_which_another_succeeded_is_no_cause(message: str) -> None:
    retry = node("rt", "Retry", children=["rt(0)", "rt(1)"])
    assert ended([bad(), retry, failed("rt(0)", message), node("rt(1)")]) == BY_BAD


@pytest.mark.parametrize(
    "named", [{"name": "wf.rt(0)[0].p0", "boundaryID": "rt(0)"}, {"boundaryID": "rt(0)"}]
)
def test_a_step_inside_such_an_attempt_is_no_cause(named: NODES) -> None:
    steps = node("rt(0)", "Steps", "Failed", children=["p0"], message="child 'p0' failed")
    retry = node("rt", "Retry", children=["rt(0)", "rt(1)"])
    inside = failed("p0", "pod deleted", **named)
    assert ended([bad(), retry, steps, node("rt(1)", "Steps", children=[]), inside]) == BY_BAD


def test_of_attempts_that_all_failed_the_last_one_counts() -> None:
    retry = node("rt", "Retry", "Failed", message="No more retries left")
    retry |= {"children": ["rt(0)", "rt(1)"]}
    steps = [retry, failed("rt(0)", OOM, LATE), failed("rt(1)", TABLE, EARLY)]
    assert ended(steps) == (Status.FAILED, FailureKind.APPLICATION, f"rt(1): {TABLE}")


def exit_handler(**more: Any) -> NODES:
    """The exit handler of the whole Workflow, which failed."""
    flag: NODES = {"nodeFlag": {"hooked": True}, "boundaryID": ""}
    return failed("onExit", EXIT, **flag, **more)


def test_an_exit_handler_is_the_cause_where_the_work_was_retried_and_succeeded() -> None:
    root = {**node("wf", "Retry", children=["wf(0)", "wf(1)"]), "name": "wf"}
    first = {**failed("wf(0)", OOM), "name": "wf(0)", "boundaryID": ""}
    second = {**node("wf(1)"), "name": "wf(1)", "boundaryID": ""}
    tree = {item["id"]: item for item in (root, first, second, exit_handler())}
    assert cause(EXIT, tree) == (Status.FAILED, FailureKind.APPLICATION, EXIT)


@pytest.mark.parametrize("kind", ["Steps", "DAG"])
def test_an_exit_handler_is_the_cause_where_a_failed_step_was_tolerated(kind: str) -> None:
    tree = nodes(node("wf", kind), failed("opt", OOM), exit_handler())
    assert cause(EXIT, tree) == (Status.FAILED, FailureKind.APPLICATION, EXIT)


def test_the_step_of_an_exit_handler_that_failed_it_is_the_cause() -> None:
    handler = {**exit_handler(), "type": "Steps", "message": "child 'wf-2' failed"}
    handler |= {"children": ["wf-1", "wf-2"]}
    inside = {"boundaryID": "onExit"}
    tree = nodes(
        node("wf", "DAG"),
        failed("opt", OOM),
        handler,
        failed("wf-1", OOM, LATE, **inside, name="wf.onExit[0].opt"),
        failed("wf-2", TABLE, EARLY, **inside, name="wf.onExit[0].mail", displayName="mail"),
    )
    _, kind, words = cause("child 'wf-2' failed", tree)
    assert (kind, words) == (FailureKind.APPLICATION, f"mail: {TABLE} · child 'wf-2' failed")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("child 'bad' failed", "bad"),
        ("child 'wf.bad' failed", "bad"),
        ("task 'wf.bad' errored: no", "bad"),
        ("step group deemed errored due to child wf.bad error: no", "bad"),
        ("child 'gone' failed", "opt"),
        ("child 'good' failed", "opt"),
        ("", "opt"),
    ],
)
def test_the_child_that_is_named_is_followed(message: str, words: str) -> None:
    tree = nodes(node("wf", "Steps", "Failed"), bad(), failed("opt", OOM), node("good"))
    assert cause(message, tree)[2].startswith(f"{words}: ")


def test_a_group_inside_names_its_child_too() -> None:
    group = node("g", "Steps", "Failed", message="child 'bad' failed")
    inside = {"boundaryID": "g"}
    steps = [
        {**group, "children": ["bad", "opt"]},
        bad(**inside, name="wf.g[0].bad"),
        failed("opt", OOM, **inside, name="wf.g[0].opt"),
    ]
    assert ended(steps) == BY_BAD


def opt_may(end: str, *, in_steps: bool) -> NODES:
    """The template of the Workflow, in which a step may end so."""
    steps = [{"name": "bad"}, {"name": "opt", "continueOn": {end: True}}]
    return {"name": "wf", "steps": [steps]} if in_steps else {"name": "wf", "dag": {"tasks": steps}}


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(("in_steps", "name"), [(True, "wf[0].opt"), (False, "wf.opt")])
def test_a_step_that_may_fail_is_no_cause(name: str, *, in_steps: bool, stored: bool) -> None:
    def spec(end: str) -> NODES:
        template = opt_may(end, in_steps=in_steps)
        if stored:
            return {"storedTemplates": {"namespaced/shared/wf": template}}
        return {"spec": {"templates": [template]}}

    alone = [bad(), failed("opt", OOM, name=name)]
    assert ended(alone, **spec("failed")) == BY_BAD
    assert ended(alone, **spec("error"))[2] == f"opt: {OOM}"
    group = node("opt", "TaskGroup", "Failed", children=["opt(0:a)"])
    looped = [bad(), {**group, "name": name}, failed("opt(0:a)", OOM, name=f"{name}(0:a)")]
    assert ended(looped, **spec("failed")) == BY_BAD


def test_a_step_after_whose_failure_the_next_one_began_is_no_cause() -> None:
    after = failed("a", OOM, children=["b"])
    assert ended([bad(), after, node("b")]) == BY_BAD
    omitted = node("c", "Skipped", "Omitted")
    after |= {"children": ["b", "c"]}
    assert ended([bad(), after, node("b"), omitted])[2] == f"a: {OOM}"


def test_a_hook_of_a_step_that_failed_is_nothing_that_came_after_it() -> None:
    hook = {**node("opt.onExit"), "nodeFlag": {"hooked": True}}
    opt = failed("opt", OOM, children=["opt.onExit"])
    assert ended([bad(), opt, hook])[2] == f"opt: {OOM}"


BROKEN = {
    "offloaded": {"offloadNodeStatusVersion": "fnv:1"},
    "cut off": {"compressedNodes": "H4sIAAAAAAAA/w=="},
    "no base64": {"compressedNodes": "%%%"},
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("message", ["child 'wf-123' failed", "No more retries left", ""])
def test_why_steps_failed_that_are_not_loaded_is_not_known(name: str, message: str) -> None:
    status, kind, words = cause(message, {}, **BROKEN[name])
    assert (status, kind, words) == (Status.FAILED, FailureKind.OTHER, message)


def test_what_the_workflow_says_itself_counts_without_its_steps() -> None:
    offloaded = BROKEN["offloaded"]
    assert cause(TABLE, {}, **offloaded)[1] is FailureKind.APPLICATION
    assert cause(LATE_STEP, {}, **offloaded)[:2] == (Status.TIMED_OUT, FailureKind.DEADLINE)
