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
    deepest = next((link for link in reversed(list(chain(fault))) if link.message), None)
    if outer is None or deepest is None:
        return fault.type
    message = _typed(deepest)
    if outer.timeout and outer is not deepest:
        return f"{timeout_words(outer.timeout)}; last failure: {message}"
    return message


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
    faults = list(chain(fault))
    return next(
        (link for link in faults if link.kind not in _WRAPPERS), faults[-1] if faults else None
    )


def kind_of(fault: Fault | None) -> FailureKind:
    """Which kind of failure it is, as the trail calls it."""
    if fault is None:
        return FailureKind.NONE
    if any(is_non_determinism(link) for link in chain(fault)):
        return FailureKind.NON_DETERMINISM
    outer = decisive(fault)
    return _KINDS.get(outer.kind, FailureKind.OTHER) if outer else FailureKind.OTHER


def is_non_determinism(fault: Fault) -> bool:
    """Whether the code no longer fits the history, as the SDKs say it."""
    named = fault.type.lower().replace("-", "")
    return NON_DETERMINISM in fault.message or "nondeterminis" in named


def stack_of(fault: Fault | None) -> str:
    """The deepest stack."""
    return next((link.stack for link in reversed(list(chain(fault))) if link.stack), "")


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
    messages = [link.message for link in chain(fault) if link.message]
    if len(messages) > 1:
        facts["causes"] = messages
    return facts
