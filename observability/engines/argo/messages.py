"""What the controller's messages mean. They are the only place where it says why. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from observability.engines.contracts import EventKind, FailureKind
from observability.engines.refusals import refusal_within

POSTPONED: Final = "Workflow processing has been postponed"
RATE_LIMITED: Final = "resource creation rate-limit reached"
_LOCK: Final = re.compile(
    r"Waiting for (?P<lock>.{1,300}?) lock(?: \((?P<row>[^)]{1,300})\))?\."
    r" Lock status: (?P<first>-?\d{1,9})/(?P<limit>-?\d{1,9})"
)
_STRATEGY: Final = re.compile(
    r"(?:Stopped with strategy '|workflow shutdown with strategy:\s{1,2})(?P<how>Stop|Terminate)"
)
_CODE: Final = re.compile(r"\(exit code (\d{1,5})\)")
_EXITED: Final = re.compile(r"\bexit code \d{1,5}\b\)?")
_RESUMED: Final = re.compile(r"Resumed by: (.{1,200})")
_READ: Final = 4000
_NO_IMAGE: Final = (
    *("ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"),
    *("ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"),
)
_STUCK: Final = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
"""Why a container waits that cannot begin."""
_NEVER_BEGAN: Final = ("StartError", "ContainerCannotRun")
"""Why a container ended that could not begin."""
_KINDS: Final[tuple[tuple[str, FailureKind], ...]] = (
    ("OOMKilled", FailureKind.OUT_OF_MEMORY),
    ("ContainerStatusUnknown", FailureKind.WORKER_LOST),
    ("Step exceeded its deadline", FailureKind.DEADLINE),
    ("active on the node longer than the specified deadline", FailureKind.DEADLINE),
    ("Max duration limit exceeded", FailureKind.TIMEOUT),
    ("Backoff would exceed max duration limit", FailureKind.TIMEOUT),
    ("pod deleted", FailureKind.WORKER_LOST),
    ("Failed to acquire the synchronization lock", FailureKind.QUOTA),
    ("failed to initialize semaphore", FailureKind.QUOTA),
    ("Failed to get semaphore limit", FailureKind.QUOTA),
    ("invalid spec:", FailureKind.INVALID),
    *((reason, FailureKind.IMAGE) for reason in _NO_IMAGE),
    *((reason, FailureKind.INVALID) for reason in (*_STUCK, *_NEVER_BEGAN)),
    # A kubelet's own words, which the controller copies without the reason beside them.
    ("low on resource", FailureKind.EVICTED),
    ("The node had condition: ", FailureKind.EVICTED),
    ("Usage of EmptyDir volume ", FailureKind.EVICTED),
    ("Pod ephemeral local storage usage exceeds", FailureKind.EVICTED),
    ("exceeded its local ephemeral storage limit", FailureKind.EVICTED),
    ("in response to imminent node shutdown", FailureKind.EVICTED),
    ("rejected as the node is shutting down", FailureKind.EVICTED),
    ("Node is shutting, evicting pods", FailureKind.EVICTED),
    ("Node is in progress of shutting down", FailureKind.EVICTED),
    ("Evicted", FailureKind.EVICTED),
    ("evicted", FailureKind.EVICTED),
    ("Preempt", FailureKind.EVICTED),
    # Rejected by a node, of older releases without saying so: no container ran.
    ("Pod was rejected", FailureKind.OTHER),
    ("Node didn't have enough resource: ", FailureKind.OTHER),
    ("Pod Predicate ", FailureKind.OTHER),
    ("Pod Allocate failed due to ", FailureKind.OTHER),
    ("Pod Resources cannot be allocated with Topology locality", FailureKind.OTHER),
    # The controller knows no more either.
    ("Pod failed before ", FailureKind.OTHER),
    ("pod failed: ", FailureKind.OTHER),
    ("can't find failed message for pod ", FailureKind.OTHER),
)
"""What stands in a message, the most telling first."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What something waits for: the kind of its event, a key that stays while the reason does,
    a title, and values."""

    kind: EventKind
    key: str
    title: str
    detail: dict[str, Any]


def failure_kind(message: str, phase: str) -> FailureKind:
    """Why a node or a workflow ended badly."""
    text = _own_words(message)
    if text.strip() == "timeout":
        return FailureKind.TIMEOUT
    how = strategy(text)
    if how:
        return FailureKind.TERMINATED if how == "Terminate" else FailureKind.CANCELLED
    refusal = refusal_within(text)
    if refusal is not None:
        return refusal.kind
    for part, kind in _KINDS:
        if part in text:
            return kind
    return FailureKind.OTHER if phase == "Error" else FailureKind.APPLICATION


def _own_words(message: str) -> str:
    """What the controller says itself: behind an exit code follow the words of the program, whose
    pod was admitted and ran, whatever it tells of quotas or evictions."""
    text = message[:_READ]
    code = _EXITED.search(text)
    return text[: code.end()] if code else text


def strategy(message: str) -> str:
    """`Stop` or `Terminate` where a shutdown is the reason, else empty."""
    match = _STRATEGY.search(message[:_READ])
    return match["how"] if match else ""


def exit_code(message: str) -> int | None:
    """The exit code in a message."""
    match = _CODE.search(message[:_READ])
    return int(match[1]) if match else None


def resumed_by(message: str) -> str:
    """Who resumed a suspended step."""
    match = _RESUMED.search(message[:_READ])
    return match[1].strip() if match else ""


def lock_of(message: str) -> dict[str, Any] | None:
    """Name, limit and what is free of a lock that is waited for; None for another message.

    A ConfigMap's or a mutex's message counts what is free, a database lock's what is held.
    """
    match = _LOCK.search(message[:_READ])
    if match is None:
        return None
    first, limit = int(match["first"]), int(match["limit"])
    free = limit - first if match["row"] else first
    return {"lock": match["lock"], "limit": limit, "held": limit - free, "available": free}


def wait_of(message: str, waiting: str = "") -> Wait | None:
    """What a pending workflow or node waits for, from its message and, for a node, the lock that
    its synchronizationStatus names. None when nothing is said."""
    text = _own_words(message)
    lock = lock_of(text) or ({"lock": waiting} if waiting else None)
    if lock is not None:
        name = str(lock["lock"])
        detail = {"for": "lock", **lock}
        return Wait(EventKind.WAITING, f"lock:{name}", f"waits for the lock {name}", detail)
    refusal = refusal_within(text)
    if refusal is not None:
        quota = f" by the quota {refusal.by}" if refusal.kind is FailureKind.QUOTA else ""
        return Wait(EventKind.DENIED, "denied", f"was refused{quota}", refusal.detail())
    return _other_wait(text)


_OTHERS: Final[tuple[tuple[str, EventKind, str, str], ...]] = (
    (POSTPONED, EventKind.THROTTLED, "parallelism", "waits for a slot: too many are running"),
    (RATE_LIMITED, EventKind.THROTTLED, "rate", "waits: the pod creation rate limit is reached"),
    ("exceeded quota", EventKind.DENIED, "denied", "was refused by a quota"),
    *((reason, EventKind.WAITING, "image", "waits for its image") for reason in _NO_IMAGE),
    *((reason, EventKind.WAITING, "container", f"cannot start: {reason}") for reason in _STUCK),
    ("Unschedulable", EventKind.WAITING, "node", "waits for a node"),
    ("Waiting for a PVC", EventKind.WAITING, "volume", "waits for a volume claim"),
    ("poisoned state", EventKind.WAITING, "poisoned", "waits for a lock in a poisoned state"),
    ("auto-restarting", EventKind.RETRY, "restart", "is started again by the controller"),
    ("Backoff for", EventKind.RETRY, "backoff", "waits before its next attempt"),
)


def _other_wait(text: str) -> Wait | None:
    for part, kind, key, title in _OTHERS:
        if part in text:
            return Wait(kind, key, title, {"for": key})
    if text:
        return Wait(EventKind.WAITING, "pending", "waits", {"for": "other"})
    return None
