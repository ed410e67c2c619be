"""Retry nodes: attempts one after the other, as a template's `retryStrategy` says."""

from dataclasses import replace
from datetime import timedelta

from deploy.emulators.argo import names
from deploy.emulators.argo.groups import Execute
from deploy.emulators.argo.names import Obj
from deploy.emulators.argo.run import (
    HALTED,
    Call,
    Run,
    is_done,
)

_POLICIES = {"OnFailure": ("Failed",), "OnError": ("Error",)}


def retry(run: Run, call: Call, body: Obj, execute: Execute) -> Obj | None:
    """The Retry node of a call, and its attempts below it."""
    node = run.get(call.name)
    if node is None:
        if run.is_stopped:
            return HALTED
        node = run.add(call, "Retry", "Running")
    attempts = run.children(call.name)
    last = attempts[-1] if attempts else None
    if last is None or not is_done(last):
        last = _attempt(run, call, node, max(len(attempts) - 1, 0), execute)
    if last is None or not is_done(last):
        return node
    if last["phase"] not in names.BAD:
        node["outputs"] = last.get("outputs") or {}
        return run.finish(node, last["phase"])
    return _again(run, call, node, body["retryStrategy"], last, execute)


def _attempt(run: Run, call: Call, node: Obj, number: int, execute: Execute) -> Obj | None:
    inner = replace(
        call,
        name=f"{call.name}({number})",
        display=f"{call.display}({number})",
        values={**call.values, "retries": str(number)},
        attempt=number,
    )
    made = execute(run, inner)
    if made is not None:
        run.link(node, made)
    return made


def _again(run: Run, call: Call, node: Obj, strategy: Obj, last: Obj, execute: Execute) -> Obj:
    """After a failed attempt: the end, a pause, or the next attempt."""
    made = len(run.children(call.name))
    if over := _over(run, strategy, made, last):
        return run.finish(node, last["phase"], over)
    wait, too_long = _pause(run, node, strategy.get("backoff") or {}, made, last)
    if too_long:
        return run.finish(node, last["phase"], too_long)
    if wait > 0:
        node["message"] = f"Backoff for {int(wait // 60)} minutes {int(wait % 60)} seconds"
        return node
    node.pop("message", None)
    if not run.spec.get("suspend"):
        _attempt(run, call, node, made, execute)
    return node


def _over(run: Run, strategy: Obj, made: int, last: Obj) -> str:
    """Why there is no further attempt; empty when there may be one. `limit` counts retries."""
    message = str(last.get("message", ""))
    if run.is_stopped:
        return message or run.halt_message
    allowed = _POLICIES.get(strategy.get("retryPolicy") or "OnFailure", ("Failed", "Error"))
    if last["phase"] not in allowed:
        return message or "not retried"
    limit = strategy.get("limit")
    return names.NO_MORE if limit is not None and made > int(limit) else ""


def _pause(run: Run, node: Obj, backoff: Obj, made: int, last: Obj) -> tuple[float, str]:
    """Seconds until the next attempt, or why the time is over."""
    pause = names.seconds(backoff.get("duration", 0))
    pause *= float(backoff.get("factor") or 1) ** (made - 1)
    if "cap" in backoff:
        pause = min(pause, names.seconds(backoff["cap"]))
    began, ended = names.moment(node["startedAt"]), names.moment(last["finishedAt"])
    if began is None or ended is None:
        return 0, ""
    if "maxDuration" in backoff:
        end = began + timedelta(seconds=names.seconds(backoff["maxDuration"]))
        if run.now > end:
            return 0, names.TOO_LONG
        if ended + timedelta(seconds=pause) > end:
            return 0, "Backoff would exceed max duration limit"
    return max(0.0, pause - (run.now - ended).total_seconds()), ""
