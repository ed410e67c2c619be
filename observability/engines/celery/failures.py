"""What Celery's events say about exceptions, as people read it. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any, Final

from observability.engines.contracts import LONGEST_MESSAGE, FailureKind

_LAST: Final = re.compile(r"^(?P<type>[A-Za-z_][\w.]*): ?(?P<said>.*)$")
_REPR: Final = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)\((?P<inner>.*)\)$", re.DOTALL)
_WRAPPER: Final = "ExceptionWithTraceback"
_KINDS: Final = {
    "WorkerLostError": FailureKind.WORKER_LOST,
    "TimeLimitExceeded": FailureKind.DEADLINE,
    "SoftTimeLimitExceeded": FailureKind.DEADLINE,
    "TimeoutError": FailureKind.TIMEOUT,
    "MemoryError": FailureKind.OUT_OF_MEMORY,
    "Reject": FailureKind.OTHER,
    "NotRegistered": FailureKind.INVALID,
}


def root_message(fields: Mapping[str, Any]) -> tuple[str, FailureKind]:
    """`ValueError: amount is negative` from the event of a failure, and what kind it is.

    The event has the exception's repr, and its traceback, whose last lines say the same; where the
    process was killed only the traceback says it.
    """
    kind, message = _from_repr(str(fields.get("exception") or ""))
    if kind == _WRAPPER or not (kind or message):
        kind, message = _from_traceback(str(fields.get("traceback") or ""))
    text = f"{kind}: {message}" if kind and message else kind or message
    return text[:LONGEST_MESSAGE], _KINDS.get(kind, FailureKind.APPLICATION)


def retry_reason(fields: Mapping[str, Any]) -> tuple[str, FailureKind]:
    """The same of an attempt that is to be repeated; empty where a task asked for that without an
    exception, as one that polls does."""
    text = str(fields.get("exception") or "")
    if text == "None" or text.startswith("Retry("):
        return "", FailureKind.NONE
    return root_message(fields)


def _from_repr(text: str) -> tuple[str, str]:
    match = _REPR.match(text.strip())
    if match is None:
        return "", text.strip()
    return match["type"].rpartition(".")[2], _plain(match["inner"].rstrip(","))


def _plain(inner: str) -> str:
    try:
        value = ast.literal_eval(inner) if inner else ""
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return inner
    return value if isinstance(value, str) else inner


def _from_traceback(text: str) -> tuple[str, str]:
    for line in reversed(text.strip().splitlines()):
        match = _LAST.match(line.strip())
        if match is not None and not match["type"].endswith(_WRAPPER):
            return match["type"].rpartition(".")[2], match["said"]
    return "", ""
