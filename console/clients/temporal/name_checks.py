"""What Temporal accepts but should not, checked before it is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from console.errors import Refused

LONGEST_QUEUE = 1000
LONGEST_KEY = 64
LONGEST_TEXT = 1000
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


def check_queue(name: str) -> str:
    """A task queue's name. The server silently accepts an empty or too long one."""
    if not name or not name.strip():
        raise Refused("a task queue needs a name", code="invalid")
    if len(name.encode()) > LONGEST_QUEUE:
        raise Refused(f"task queue name longer than {LONGEST_QUEUE} bytes", code="invalid")
    if name.startswith("/_sys/"):
        raise Refused("task queue names beginning with /_sys/ are the server's own", code="invalid")
    return name


def check_namespace(name: str) -> str:
    """A namespace's name. The server accepts blanks and slashes, tools then trip over them."""
    if not _NAMESPACE.fullmatch(name):
        raise Refused(
            f"{name!r} is no namespace name: letters, digits, . _ -, at most 255", code="invalid"
        )
    return name


def check_keys(set_weights: Mapping[str, int], unset_weights: Iterable[str]) -> None:
    """Fairness keys: 1 to 64 bytes, and none both set and unset."""
    unset = list(unset_weights)
    for key in (*set_weights, *unset):
        if not key or len(key.encode()) > LONGEST_KEY:
            raise Refused(
                f"fairness key {key[:70]!r} must have 1 to {LONGEST_KEY} bytes", code="invalid"
            )
    both = sorted(set(set_weights) & set(unset))
    if both:
        raise Refused(f"fairness keys both set and unset: {', '.join(both[:5])}", code="invalid")


def shorten(text: str) -> str:
    """At most 1000 bytes of UTF-8 (the server counts bytes), cut between characters."""
    raw = text.encode()
    if len(raw) <= LONGEST_TEXT:
        return text
    return raw[: LONGEST_TEXT - 3].decode("utf-8", "ignore") + "…"
