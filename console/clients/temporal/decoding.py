"""Taking answers apart: whatever goes wrong with what somebody wrote is that one thing's fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from console.clients.temporal.connection import UNDECODABLE
from console.errors import Refused
from console.repeats import Repeats

A = TypeVar("A")
T = TypeVar("T")
log = structlog.get_logger(__name__)
_logged = Repeats()


def decoded(what: str, translate: Callable[[A], T], answer: A) -> T:
    """What `translate` makes of an answer to `what` ("describe workflow w").

    Raises Refused with UNDECODABLE where a mistake of ours meets it, as if nothing could decode it:
    its neighbours are read, it is shown, and the traceback is in the log.
    """
    try:
        return translate(answer)
    except Exception as error:
        if _logged.is_new(what, type(error).__name__):
            log.exception("temporal.unreadable", what=what)
        problem = f"{type(error).__name__} while reading it"
        raise Refused(
            f"{what}: the answer cannot be decoded ({problem})", code=UNDECODABLE
        ) from error
