"""Failures in words: what broke at the bottom of a chain of causes, and of which kind it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from console.clients.temporal.records import Fault
from observability.engines.contracts import FailureKind

_WRAPPERS: Final = frozenset({"activity", "child"})
_KINDS: Final = {
    "application": FailureKind.APPLICATION,
    "timeout": FailureKind.TIMEOUT,
    "cancelled": FailureKind.CANCELLED,
    "terminated": FailureKind.TERMINATED,
}
NON_DETERMINISM: Final = "TMPRL1100"


def chain(fault: Fault | None) -> Iterator[Fault]:
    """A failure and its causes, the outermost first."""
    while fault is not None:
        yield fault
        fault = fault.cause


def root_message(fault: Fault | None) -> str:
    """The deepest message that says something, with the type of the error before it."""
    if fault is None:
        return ""
    outer = decisive(fault)
    deepest = next((one for one in reversed(list(chain(fault))) if one.message), None)
    if outer is None or deepest is None:
        return fault.type
    said = _typed(deepest)
    if outer.timeout and outer is not deepest:
        return f"{timeout_words(outer.timeout)}; last failure: {said}"
    return said


def _typed(fault: Fault) -> str:
    if fault.timeout:
        return timeout_words(fault.timeout)
    known = not fault.type or fault.kind != "application" or fault.type in fault.message
    return fault.message if known else f"{fault.type}: {fault.message}"


def timeout_words(timeout: str) -> str:
    """`heartbeat` as "Heartbeat timeout"."""
    return f"{timeout.replace('_', ' ').capitalize()} timeout"


def decisive(fault: Fault | None) -> Fault | None:
    """The outermost failure that is not merely "an activity failed"."""
    found = list(chain(fault))
    return next((one for one in found if one.kind not in _WRAPPERS), found[-1] if found else None)


def kind_of(fault: Fault | None) -> FailureKind:
    """Which kind of failure it is, as the trail calls it."""
    if fault is None:
        return FailureKind.NONE
    if any(is_non_determinism(one) for one in chain(fault)):
        return FailureKind.NON_DETERMINISM
    outer = decisive(fault)
    return _KINDS.get(outer.kind, FailureKind.OTHER) if outer else FailureKind.OTHER


def is_non_determinism(fault: Fault) -> bool:
    """Whether the code no longer fits the history, as the SDKs say it."""
    named = fault.type.lower().replace("-", "")
    return NON_DETERMINISM in fault.message or "nondeterminis" in named


def stack_of(fault: Fault | None) -> str:
    """The deepest stack."""
    return next((one.stack for one in reversed(list(chain(fault))) if one.stack), "")


def facts_of(fault: Fault | None) -> dict[str, Any]:
    """What goes into an event's detail: kind, type, stack and the chain of messages."""
    outer = decisive(fault)
    if outer is None:
        return {}
    deepest = list(chain(fault))[-1]
    every = {
        "failure": outer.kind,
        "type": deepest.type,
        "timeout": outer.timeout,
        "stack": stack_of(fault),
        "non_retryable": outer.non_retryable,
        "details": list(deepest.details),
    }
    facts: dict[str, Any] = {name: fact for name, fact in every.items() if fact}
    messages = [one.message for one in chain(fault) if one.message]
    if len(messages) > 1:
        facts["causes"] = messages
    return facts
