"""What has been logged already: a fault that is met every second has one traceback in the log."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MOST: Final = 1000


class Repeats:
    """The latest faults, of which the oldest is forgotten first. Threads may share it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._latest: OrderedDict[tuple[str, ...], None] = OrderedDict()

    def is_new(self, *fault: str) -> bool:
        """Whether this one is not among the latest; it is from now on."""
        known = fault in self._latest
        self._latest.pop(fault, None)
        self._latest[fault] = None  # the latest now
        while len(self._latest) > self._most:
            self._latest.popitem(last=False)
        return not known
