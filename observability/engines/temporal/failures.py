"""Failures in words: what broke at the bottom of a chain of causes, and of which kind it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from console.clients.temporal.records import Failure
from observability.engines.contracts import FailureKind

_WRAPPERS: Final = frozenset({"activity", "child", "nexus"})
_KINDS: Final = {
    "application": FailureKind.APPLICATION,
    "timeout": FailureKind.TIMEOUT,
    "cancelled": FailureKind.CANCELLED,
    "terminated": FailureKind.TERMINATED,
}
NON_DETERMINISM: Final = "TMPRL1100"


def chain(failure: Failure | None) -> Iterator[Failure]:
    """A failure and its causes, the outermost first."""
    while failure is not None:
        yield failure
        failure = failure.cause


def root_message(failure: Failure | None) -> str:
    """The deepest message that says something, with the type of the error before it."""
    if failure is None:
        return ""
    outer = decisive(failure)
    deepest = next((link for link in reversed(list(chain(failure))) if link.message), None)
    if outer is None or deepest is None:
        return failure.type
    message = _typed(deepest)
    if outer.timeout and outer is not deepest:
        return f"{timeout_words(outer.timeout)}; last failure: {message}"
    return message


def _typed(failure: Failure) -> str:
    if failure.timeout:
        return timeout_words(failure.timeout)
    known = not failure.type or failure.kind != "application" or failure.type in failure.message
    return failure.message if known else f"{failure.type}: {failure.message}"


def timeout_words(timeout: str) -> str:
    """`heartbeat` as "Heartbeat timeout"."""
    return f"{timeout.replace('_', ' ').capitalize()} timeout"


def decisive(failure: Failure | None) -> Failure | None:
    """The outermost failure that is not merely "an activity failed"."""
    failures = list(chain(failure))
    return next(
        (link for link in failures if link.kind not in _WRAPPERS),
        failures[-1] if failures else None,
    )


def kind_of(failure: Failure | None) -> FailureKind:
    """Which kind of failure it is, as the trail calls it."""
    if failure is None:
        return FailureKind.NONE
    if any(is_non_determinism(link) for link in chain(failure)):
        return FailureKind.NON_DETERMINISM
    outer = decisive(failure)
    return _KINDS.get(outer.kind, FailureKind.OTHER) if outer else FailureKind.OTHER


def is_non_determinism(failure: Failure) -> bool:
    """Whether the code no longer fits the history, as the SDKs say it."""
    named = failure.type.lower().replace("-", "")
    return NON_DETERMINISM in failure.message or "nondeterminis" in named


def stack_of(failure: Failure | None) -> str:
    """The deepest stack."""
    return next((link.stack for link in reversed(list(chain(failure))) if link.stack), "")


def facts_of(failure: Failure | None) -> dict[str, Any]:
    """What goes into an event's detail: kind, type, stack and the chain of messages."""
    outer = decisive(failure)
    if outer is None:
        return {}
    deepest = list(chain(failure))[-1]
    every = {
        "failure": outer.kind,
        "type": deepest.type,
        "timeout": outer.timeout,
        "stack": stack_of(failure),
        "non_retryable": outer.non_retryable,
        "details": list(deepest.details),
    }
    facts: dict[str, Any] = {name: fact for name, fact in every.items() if fact}
    messages = [link.message for link in chain(failure) if link.message]
    if len(messages) > 1:
        facts["causes"] = messages
    return facts
