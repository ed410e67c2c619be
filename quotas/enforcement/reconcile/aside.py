"""Reading a target in a thread of its own, while whoever clicks is served here."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, ParamSpec, TypeVar

from console.database.claims import Claim
from quotas.enforcement.reconcile.queue import (
    QUEUE_SECONDS,
    Processed,
    is_ready,
    process_claimed,
)
from tenants.models import Target

P = ParamSpec("P")
T = TypeVar("T")

LISTEN_SECONDS: Final = 0.1
"""How often a sweep that observes a target asks whether somebody waits for it."""


class Aside:
    """The reads of one sweep. Observing thousands of tenants takes seconds: under the same claim
    the queue is worked off meanwhile, and what that did is added to `done`. What is settled so may
    have been observed before or after; the sweep must not classify it."""

    def __init__(self, target: Target, claim: Claim, done: Processed) -> None:
        self._target, self._claim, self._done = target, claim, done
        self._deadline = time.monotonic() + QUEUE_SECONDS

    def run(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `read` returns or raises; it must touch no rows."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sweep") as aside:
            reading = aside.submit(read, *args, **kwargs)
            while not wait([reading], timeout=LISTEN_SECONDS).done:
                self._serve()
            return reading.result()

    def _serve(self) -> None:
        late = time.monotonic() >= self._deadline
        if not self._claim.lost and not late and is_ready(self._target.pk):
            process_claimed(self._target, self._claim, self._deadline, self._done)
