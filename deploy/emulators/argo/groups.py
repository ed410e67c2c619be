"""Nodes that have others below them: steps, DAGs and loops."""

from collections.abc import Callable

from deploy.emulators.argo import names, values
from deploy.emulators.argo.names import Obj
from deploy.emulators.argo.run import (
    HALTED,
    Call,
    Run,
    is_done,
)

Execute = Callable[[Run, Call], Obj | None]


def _is_bad(node: Obj, step: Obj) -> bool:
    """Whether a child's end fails its parent, unless `continueOn` says otherwise."""
    if node["phase"] not in names.BAD:
        return False
    go_on = step.get("continueOn") or {}
    return not go_on.get("failed" if node["phase"] == "Failed" else "error")


def _child(call: Call, node: Obj, step: Obj, name: str, suffix: str) -> Call:
    arguments = values.parameters(step.get("arguments"))
    return Call(
        name=f"{name}{suffix}",
        display=f"{step['name']}{suffix}",
        template=str(step.get("template", "")),
        arguments=arguments,
        boundary=node["id"],
        hooked=call.hooked,
    )


def _outcome(run: Run, bad: Obj) -> tuple[str, str]:
    """Phase and message of a parent whose child ended badly."""
    if bad is HALTED:
        return "Failed", run.halt_message
    if bad["phase"] == "Error":
        words = f"step group deemed errored due to child {bad['name']} error: "
        return "Error", words + str(bad.get("message", ""))
    return "Failed", f"child '{bad['id']}' failed"


# -- steps -----------------------------------------------------------------------------------------


def steps(run: Run, call: Call, body: Obj, execute: Execute) -> Obj:
    """Groups one after the other, the steps of each side by side."""
    node = run.get(call.name) or run.add(call, "Steps", "Running")
    above = [node]
    for number, listed in enumerate(body["steps"]):
        name = f"{call.name}[{number}]"
        group = run.get(name)
        if group is None:
            if run.is_stopped:
                return run.finish(node, "Failed", run.halt_message)
            if run.spec.get("suspend"):
                return node
            place = Call(name, f"[{number}]", call.template, boundary=node["id"])
            group = run.add(place, "StepGroup", "Running")
        for parent in above:
            run.link(parent, group)
        kids = _group(run, call, node, group, listed, execute)
        if not is_done(group):
            return node
        if group["phase"] in names.BAD:
            return run.finish(node, group["phase"], group.get("message", ""))
        above = kids or [group]
    return run.finish(node, "Succeeded")


def _group(
    run: Run, call: Call, node: Obj, group: Obj, listed: list[Obj], execute: Execute
) -> list[Obj]:
    """Runs one group; its nodes."""
    known = _known(run, call.name)
    pairs: list[tuple[Obj | None, Obj]] = []
    for written in listed:
        for suffix, items in values.loop(written):
            step = values.filled(written, {**known, **items})
            inner = _child(call, node, step, f"{group['name']}.{step['name']}", suffix)
            pairs.append((_step(run, inner, step, execute), step))
    kids = [kid for kid, _ in pairs if kid is not None]
    for kid in kids:
        run.link(group, kid)
    if not is_done(group) and all(is_done(kid) for kid, _ in pairs):
        bad = next((kid for kid, step in pairs if kid is not None and _is_bad(kid, step)), None)
        phase, message = ("Succeeded", "") if bad is None else _outcome(run, bad)
        run.finish(group, phase, message)
    return [kid for kid in kids if kid["id"]]


def _step(run: Run, inner: Call, step: Obj, execute: Execute) -> Obj | None:
    condition = str(step.get("when", ""))
    if condition and run.get(inner.name) is None and not values.holds(condition):
        if run.is_stopped:
            return HALTED
        return run.add(inner, "Skipped", "Skipped", f"when '{condition}' evaluated false")
    return execute(run, inner)


def _known(run: Run, name: str) -> dict[str, str]:
    """How earlier steps or tasks of a template ended."""
    ident = names.node_id(run.name, name)
    known = {}
    for node in run.nodes.values():
        if node.get("boundaryID") == ident and is_done(node):
            for sort in ("steps", "tasks"):
                known[f"{sort}.{node['displayName']}.status"] = node["phase"]
                code = (node.get("outputs") or {}).get("exitCode")
                if code is not None:
                    known[f"{sort}.{node['displayName']}.exitCode"] = code
    return known


# -- DAG -------------------------------------------------------------------------------------------


def dag(run: Run, call: Call, body: Obj, execute: Execute) -> Obj:
    """Tasks, each as soon as those it depends on have ended as it wants."""
    node = run.get(call.name) or run.add(call, "DAG", "Running")
    tasks = {task["name"]: task for task in body["dag"].get("tasks") or ()}
    fails_fast = body["dag"].get("failFast", True) and not any(
        "depends" in t for t in tasks.values()
    )
    nodes: dict[str, Obj | None] = {}
    for name in _sorted(tasks):
        failed = any(_failed(nodes, tasks, other) for other in nodes)
        nodes[name] = _task(
            run, call, node, tasks, name, nodes, execute, quiet=fails_fast and failed
        )
    alive = [kid for kid in nodes.values() if kid is not None and not is_done(kid)]
    missing = any(kid is None for kid in nodes.values())
    failed = any(_failed(nodes, tasks, name) for name in nodes)
    if alive or (missing and not (fails_fast and failed)):
        return node
    bad = next((nodes[name] for name in nodes if _failed(nodes, tasks, name)), None)
    if bad is None:
        return run.finish(node, "Succeeded")
    if bad is HALTED:
        return run.finish(node, "Failed", run.halt_message)
    if bad["phase"] == "Error":
        words = f"task '{bad['name']}' errored: {bad.get('message', '')}"
        return run.finish(node, "Error", words)
    return run.finish(node, "Failed")


def _failed(nodes: dict[str, Obj | None], tasks: dict[str, Obj], name: str) -> bool:
    """Whether a task ended badly and nobody waited for just that."""
    node = nodes[name]
    if node is None or not _is_bad(node, tasks[name]):
        return False
    outcomes = (f"{name}.Failed", f"{name}.Errored")
    return not any(word in task.get("depends", "") for task in tasks.values() for word in outcomes)


def _sorted(tasks: dict[str, Obj]) -> list[str]:
    """Tasks after those that they depend on. A circle is left out at its second visit."""
    order: list[str] = []
    visited: set[str] = set()

    def visit(name: str) -> None:
        if name in visited or name not in tasks:
            return
        visited.add(name)
        for other in values.depends_on(tasks[name]):
            visit(other)
        order.append(name)

    for name in tasks:
        visit(name)
    return order


def _task(
    run: Run,
    call: Call,
    node: Obj,
    tasks: dict[str, Obj],
    name: str,
    nodes: dict[str, Obj | None],
    execute: Execute,
    *,
    quiet: bool,
) -> Obj | None:
    """One task; None where it may not start yet."""
    written = tasks[name]
    before = [nodes.get(other) for other in values.depends_on(written)]
    if not all(is_done(node) for node in before):
        return None
    inner = _child(call, node, written, f"{call.name}.{name}", "")
    there = run.get(inner.name)
    if there is None and quiet:
        return None
    phases = {other: str((nodes[other] or {}).get("phase")) for other in values.depends_on(written)}
    if there is None and not values.is_met(written, phases):
        there = run.add(inner, "Skipped", "Omitted", names.OMITTED)
    elif there is None or not is_done(there):
        there = _expanded(run, call, node, written, inner, execute)
    if there is not None and there["id"]:
        for parent in [node for node in before if node is not None] or [node]:
            run.link(parent, there)
    return there


def _expanded(
    run: Run, call: Call, node: Obj, written: Obj, inner: Call, execute: Execute
) -> Obj | None:
    """A task, or the TaskGroup of one with a loop."""
    known = _known(run, call.name)
    if "withItems" not in written:
        step = values.filled(written, known)
        plain = _child(call, node, step, inner.name, "")
        return _step(run, plain, step, execute)
    group = run.get(inner.name) or run.add(inner, "TaskGroup", "Running")
    kids: list[Obj | None] = []
    for suffix, items in values.loop(written):
        step = values.filled(written, {**known, **items})
        kids.append(_step(run, _child(call, node, step, inner.name, suffix), step, execute))
    for kid in kids:
        if kid is not None:
            run.link(group, kid)
    if all(is_done(kid) for kid in kids):
        bad = next((kid for kid in kids if kid is not None and _is_bad(kid, written)), None)
        run.finish(group, "Succeeded" if bad is None else bad["phase"])
    return group
