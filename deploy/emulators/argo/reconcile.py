"""One look at one Workflow: from what it says and what its pods say to what it says next."""

from deploy.emulators.argo import groups, names, pods, values
from deploy.emulators.argo.locks import CannotLockError, wanted
from deploy.emulators.argo.names import Obj
from deploy.emulators.argo.retries import retry
from deploy.emulators.argo.run import (
    HALTED,
    Call,
    Run,
    is_done,
)


def reconcile(run: Run) -> None:
    """Brings a run that has a slot (and its own locks) as far as it gets now."""
    if fault := _fault(run):
        finish(run, "Failed", f"invalid spec: {fault}")
        return
    _start(run)
    pods.update_nodes(run)
    if run.is_stopped:
        _stop(run)
    entry = str(run.spec["entrypoint"])
    arguments = values.parameters(run.spec.get("arguments"))
    root = execute(run, Call(run.name, run.name, entry, arguments))
    if root is not None and is_done(root):
        _leave(run, root)
    _sum_up(run)


def _fault(run: Run) -> str:
    """Why a workflow cannot run at all; looked for once, before it starts."""
    if run.status.get("phase") == "Running":
        return ""
    entry = run.spec.get("entrypoint")
    if not entry:
        return "entrypoint is required"
    if entry not in run.templates:
        return f"template name '{entry}' undefined"
    calls = [
        step
        for template in run.templates.values()
        for step in (
            *(step for group in template.get("steps") or () for step in group),
            *((template.get("dag") or {}).get("tasks") or ()),
        )
    ]
    called = [str(step.get("template", "")) for step in calls]
    if run.spec.get("onExit"):
        called.append(str(run.spec["onExit"]))
    unknown = next((name for name in called if name not in run.templates), None)
    return "" if unknown is None else f"template name '{unknown}' undefined"


def _start(run: Run) -> None:
    if run.status.get("phase") == "Running":
        return
    metadata = run.workflow["metadata"]
    if not run.status.get("phase"):
        metadata.setdefault("annotations", {})[names.POD_NAMES] = "v2"
    run.status["phase"] = "Running"
    run.status.setdefault("startedAt", names.stamp(run.now))
    run.status.pop("message", None)


def _stop(run: Run) -> None:
    """Everything that still runs is given up."""
    for node in list(run.nodes.values()):
        if is_done(node) or node["type"] not in ("Pod", "Suspend"):
            continue
        if run.shutdown != "Terminate" and node["name"].startswith(f"{run.name}.onExit"):
            continue  # an exit handler has its say
        if run.is_late and not run.shutdown:
            message = names.DEADLINE
        else:  # two blanks where there was a pod: that is how Argo writes it
            blank = " " if node["id"] in run.pods else ""
            message = f"workflow shutdown with strategy: {blank}{run.shutdown}"
        pods.give_up(run, node, message)


def execute(run: Run, call: Call) -> Obj | None:
    """The node of a call as far as it gets; None while it may not start, HALTED when it never
    will."""
    node = run.get(call.name)
    if is_done(node):
        return node
    template = run.templates.get(call.template)
    if template is None:
        return run.add(call, "Skipped", "Error", f"template {call.template} not found")
    if node is None and run.is_stopped:
        return HALTED
    if node is None and run.spec.get("suspend"):
        return None
    scope = {**run.values, **call.values, **values.inputs(template, call.arguments)}
    body = values.filled(template, scope)
    if call.attempt is None:
        if (held_up := _lock(run, call, body)) is not None:
            return held_up
        if "retryStrategy" in body:
            return retry(run, call, body, execute)
    return _by_type(run, call, body)


def _by_type(run: Run, call: Call, body: Obj) -> Obj | None:
    if "steps" in body:
        return groups.steps(run, call, body, execute)
    if "dag" in body:
        return groups.dag(run, call, body, execute)
    if "suspend" in body:
        return _suspend(run, call, body["suspend"] or {})
    return pods.execute(run, call, body)


def _lock(run: Run, call: Call, body: Obj) -> Obj | None:
    """The node that waits for the locks of its template (or fails for want of them); None when it
    has them."""
    locks = wanted(body.get("synchronization"), run.namespace)
    if not locks:
        return None
    ident = names.node_id(run.name, call.name)
    node = run.get(call.name)
    sort = next((kind for field, kind in _SORTS.items() if field in body), "Pod")
    try:
        waiting = run.effects.acquire(locks, f"{run.namespace}/{run.name}/{ident}")
    except CannotLockError as error:
        node = node or run.add(call, sort, "Pending")
        return run.finish(node, "Error", str(error))
    if not waiting:
        if node is not None and sort != "Pod" and "synchronizationStatus" in node:
            node.pop("synchronizationStatus")
            node.pop("message", None)
            node["phase"] = "Running"
        return None
    run.waiting[ident] = locks
    node = node or run.add(call, sort, "Pending")
    node["message"] = waiting
    node["synchronizationStatus"] = {"waiting": waiting.split()[2]}
    return node


_SORTS = {"retryStrategy": "Retry", "steps": "Steps", "dag": "DAG"}


def _suspend(run: Run, call: Call, how: Obj) -> Obj:
    node = run.get(call.name) or run.add(call, "Suspend", "Running")
    started = names.moment(node["startedAt"])
    if "duration" in how and started is not None:
        waited = (run.now - started).total_seconds()
        if waited >= names.seconds(how["duration"]):
            return run.finish(node, "Succeeded")
    return node


# -- the end ---------------------------------------------------------------------------------------


def _leave(run: Run, root: Obj) -> None:
    """The exit handler, and then the end."""
    phase = str(root["phase"]) if root["phase"] in names.BAD else "Succeeded"
    message = str(root.get("message") or "")
    if run.spec.get("onExit") and run.shutdown != "Terminate":
        run.is_exiting = True
        run.status["phase"] = phase  # what `workflow.status` says in the handler
        name = f"{run.name}.onExit"
        handler = execute(run, Call(name, name, str(run.spec["onExit"]), hooked=True))
        run.status["phase"] = "Running"
        if handler is None or not is_done(handler):
            return
        if handler["phase"] in names.BAD and phase == "Succeeded":
            phase, message = handler["phase"], str(handler.get("message") or "")
    if run.shutdown:
        message = f"Stopped with strategy '{run.shutdown}'"
        phase = "Failed" if phase == "Succeeded" else phase
    finish(run, phase, message)


def finish(run: Run, phase: str, message: str) -> None:
    """The end of the workflow; it is never touched again."""
    run.status.setdefault("startedAt", names.stamp(run.now))
    run.status |= {"phase": phase, "finishedAt": names.stamp(run.now)}
    run.status.pop("message", None)
    if message:
        run.status["message"] = message
    _sum_up(run)


def _sum_up(run: Run) -> None:
    """What follows from the nodes: progress, conditions, resources, and the labels."""
    listed = list(run.nodes.values())
    made = [node for node in listed if node["type"] == "Pod"]
    if listed:
        run.status["nodes"] = run.nodes
    good = sum(node["phase"] == "Succeeded" for node in made)
    run.status["progress"] = f"{good}/{len(made)}"
    over = "finishedAt" in run.status
    runs = any(node["phase"] == "Running" for node in made)
    conditions = {"PodRunning": str(runs)} if made else {}
    conditions |= {"Completed": "True"} if over else {}
    run.status["conditions"] = [{"type": sort, "status": yes} for sort, yes in conditions.items()]
    if over:
        used: dict[str, int] = {}
        for node in made:
            for name, amount in (node.get("resourcesDuration") or {}).items():
                used[name] = used.get(name, 0) + amount
        run.status["resourcesDuration"] = used
    label(run.workflow)


def label(workflow: Obj) -> None:
    """The labels that follow from the status, written with it."""
    status = workflow["status"]
    labels = workflow["metadata"].setdefault("labels", {})
    labels[names.PHASE] = str(status["phase"])
    labels[names.COMPLETED] = "true" if "finishedAt" in status else "false"
    labels[names.EMULATED] = "true"
